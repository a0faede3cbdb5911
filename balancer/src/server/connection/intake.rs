//! Taking a request's body in: whole where it is small, lent to a stream where it is large.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Request;
use tokio::time::Instant;
use tower::Service;

use super::client_body::{ClientBody, Lent, gone};
use super::next::HOME;
use super::{Asked, Connection};
use crate::error::{Error, ErrorKind};
use crate::h1::{Body, Decoder, Expect, Framing, Upgrade, Upgrades, Violation, request::Terms};
use crate::server::drain::Stage;

impl Connection {
    /// Ready when the service is, and a small body is here in whole.
    pub(super) fn poll_prepare<S>(
        &mut self,
        cx: &mut Context<'_>,
        terms: &Terms,
        service: &mut S,
    ) -> Poll<Result<(), Error>>
    where
        S: Service<Request<Body>>,
        S::Error: Into<Error>,
    {
        ready!(self.poll_small_body(cx, terms))?;
        match service.poll_ready(cx) {
            Poll::Ready(ready) => Poll::Ready(ready.map_err(Into::into)),
            Poll::Pending => self.poll_gone(cx).map(Err),
        }
    }

    /// Reads the rest of a small body.
    fn poll_small_body(&mut self, cx: &mut Context<'_>, terms: &Terms) -> Poll<Result<(), Error>> {
        let Some(length) = self.held(terms.framing) else { return Poll::Ready(Ok(())) };
        if self.reader().buffer.len() >= length {
            return Poll::Ready(Ok(()));
        }
        if self.body_until.is_none() {
            self.body_until = Some(Instant::now() + self.config.body_timeout);
            if terms.expects_continue {
                self.interim.go_ahead();
            }
            self.alarm.clear();
        }
        self.poll_collect(cx, length)
    }

    /// Makes a request of the head that came and the body that follows it; a streaming body has the receiving end `lent`.
    pub(super) fn take_in(
        &mut self,
        terms: &Terms,
        asked: &mut Asked,
        lent: &mut Option<Lent>,
    ) -> Result<Request<Body>, Error> {
        let Terms { framing, expects_continue, .. } = *terms;
        let allowed = self.config.limits.body_bytes;
        if let Some(length) = self.held(framing)
            && length as u64 <= allowed
            && self.reader().buffer.len() >= length
        {
            self.body_until = None;
            let content = self.reader().buffer.split_to(length).freeze();
            return Ok(self.request(Body::from(content)));
        }
        let decoder = Decoder::new(framing, allowed).map_err(Violation::in_request)?;
        let mut decoder = decoder.treating(self.config.underscores);
        if framing == Framing::Empty {
            let mut request = self.request(Body::empty());
            if self.config.upgrades == Upgrades::On {
                asked.upgrade = self.offer(&mut request);
            }
            return Ok(request);
        }
        self.body_until = None;
        let ready = decoder.decode_ready(&mut self.reader().buffer).map_err(Violation::in_request)?;
        if decoder.is_done() && ready.trailers.is_none() {
            return Ok(self.request(Body::from(ready.content)));
        }
        let reader = self.reader.take().expect(HOME);
        let (body, lending) = ClientBody::lend(reader, decoder, ready, expects_continue, &self.config);
        *lent = Some(lending);
        Ok(self.request(body))
    }

    fn request(&mut self, body: Body) -> Request<Body> {
        self.heads.take().expect("a body follows a head").with(body)
    }

    /// Offers a replica to go on as its client wishes, unless the connection is to end; returns whether it did.
    fn offer(&self, request: &mut Request<Body>) -> bool {
        if self.drain.stage() == Stage::Serving
            && let Some(upgrade) = Upgrade::of(request)
        {
            request.extensions_mut().insert(upgrade);
            return true;
        }
        false
    }

    fn held(&self, framing: Framing) -> Option<usize> {
        let Framing::Length(length) = framing else { return None };
        usize::try_from(length).ok().filter(|length| *length <= self.config.held_request)
    }

    fn poll_collect(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<Result<(), Error>> {
        while self.reader().buffer.len() < length {
            if self.poll_interim(cx)?.is_pending() {
                break;
            }
            match self.reader().poll_fill(cx, Expect::Total(length)) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(gone(None))),
                Poll::Ready(Ok(_)) => self.alarm.clear(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(gone(Some(error)))),
                Poll::Pending => break,
            }
        }
        if self.reader().buffer.len() >= length {
            return Poll::Ready(Ok(()));
        }
        let left =
            self.body_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        self.alarm.set_if_clear(self.config.body_pause.min(left));
        ready!(self.alarm.poll(cx));
        Poll::Ready(Err(Error::new(ErrorKind::ClientTimeout, "a request's body did not come in time")))
    }

    /// Sends what is left of interim answers.
    pub(super) fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.interim.poll_send(cx, &mut self.writer)
    }
}
