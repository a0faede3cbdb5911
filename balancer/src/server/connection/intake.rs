//! Taking a request's body in: whole where it is small, lent to a stream where it is large.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Request;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::Connection;
use super::client_body::{ClientBody, Lent, gone};
use super::next::HOME;
use crate::error::{Error, ErrorKind};
use crate::h1::{Body, Decoder, Expect, Framing, Violation, request::RequestHead};

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl Connection {
    /// Reads the rest of a small body.
    pub(super) async fn await_small_body(&mut self, head: &RequestHead) -> Result<(), Error> {
        let Some(length) = self.held(head.framing) else { return Ok(()) };
        if self.reader().buffer.len() >= length {
            return Ok(());
        }
        self.interim = if head.expects_continue { CONTINUE } else { b"" };
        self.collect(length).await
    }

    /// Makes a request of a head and the body that follows it.
    pub(super) fn take_in(&mut self, head: RequestHead) -> Result<(Request<Body>, Option<Lent>), Error> {
        let RequestHead { request, framing, expects_continue, .. } = head;
        let allowed = self.config.limits.body_bytes;
        let mut decoder = Decoder::new(framing, allowed).map_err(Violation::in_request)?;
        if framing == Framing::Empty {
            return Ok((request.map(|()| Body::empty()), None));
        }
        let ready = decoder.decode_ready(&mut self.reader().buffer).map_err(Violation::in_request)?;
        if decoder.is_done() && ready.trailers.is_none() {
            return Ok((request.map(|()| Body::from(ready.content)), None));
        }
        let reader = self.reader.take().expect(HOME);
        let (body, lent) = ClientBody::lend(reader, decoder, ready, expects_continue, &self.config);
        Ok((request.map(|()| body), Some(lent)))
    }

    fn held(&self, framing: Framing) -> Option<usize> {
        let Framing::Length(length) = framing else { return None };
        usize::try_from(length).ok().filter(|length| *length <= self.config.held_request)
    }

    /// Reads until a whole small body is in the buffer.
    async fn collect(&mut self, length: usize) -> Result<(), Error> {
        let until = Instant::now() + self.config.body_timeout;
        self.alarm.clear();
        poll_fn(|cx| {
            while self.reader().buffer.len() < length {
                if self.poll_interim(cx)?.is_pending() {
                    return self.poll_body_patience(cx, until);
                }
                match self.reader().poll_fill(cx, Expect::Total(length)) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(gone(None))),
                    Poll::Ready(Ok(_)) => self.alarm.clear(),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(gone(Some(error)))),
                    Poll::Pending => return self.poll_body_patience(cx, until),
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    fn poll_body_patience(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<Result<(), Error>> {
        let left = until.saturating_duration_since(Instant::now());
        self.alarm.set_if_clear(self.config.body_pause.min(left));
        ready!(self.alarm.poll(cx));
        Poll::Ready(Err(Error::new(ErrorKind::ClientTimeout, "a request's body did not come in time")))
    }

    /// Sends what is left of a `100 Continue`.
    pub(super) fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.interim.is_empty() {
            let written = ready!(Pin::new(&mut self.writer).poll_write(cx, self.interim));
            let taken = written.map_err(|error| gone(Some(error)))?;
            self.interim = &self.interim[taken..];
        }
        Poll::Ready(Ok(()))
    }

    /// What must still be sent of a `100 Continue` before an answer: nothing, unless a part of it was sent.
    pub(super) fn take_begun_interim(&mut self) -> &'static [u8] {
        let left = std::mem::take(&mut self.interim);
        if left.len() < CONTINUE.len() { left } else { b"" }
    }

    /// Asks the client for its body.
    pub(super) fn go_ahead(&mut self) {
        self.interim = CONTINUE;
    }
}
