//! Asking the service and writing its answer.

use std::future::poll_fn;
use std::mem;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use tower::Service;

use super::client_body::Lent;
use super::{Asked, Connection, Over};
use crate::error::{Error, ErrorKind};
use crate::h1::{Body, Expect, Failure, Framing, Persistence, encode_response};
use crate::server::drain::Stage;
use crate::server::refusal;

/// How much of the next requests is read while one is being answered. Enough to see the end of a connection behind
/// a few pipelined heads; what is beyond waits in the kernel, whose window slows the client down.
const READ_AHEAD: usize = 16 * 1024;

impl Connection {
    /// Asks the service, as long as the client is there to hear the answer.
    ///
    /// A client that ends its sending direction while it waits counts as gone, as with nginx: in HTTP/1.1 it cannot
    /// be told from one that left, and what it asked for would be computed for nobody.
    pub(super) async fn ask<S>(
        &mut self,
        service: &mut S,
        request: Request<Body>,
        lent: &mut Option<Lent>,
    ) -> Result<Result<Response<Body>, Error>, Over>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
        S::Error: Into<Error>,
    {
        if let Err(error) = poll_fn(|cx| service.poll_ready(cx)).await {
            return Ok(Err(error.into()));
        }
        let mut answer = pin!(service.call(request));
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(Ok(answer.map_err(Into::into)));
            }
            ready!(self.poll_client(cx, lent));
            Poll::Ready(Err(Over))
        })
        .await
    }

    /// Serves the client while the service works; ready when the client is gone.
    fn poll_client(&mut self, cx: &mut Context<'_>, lent: &mut Option<Lent>) -> Poll<()> {
        if let Some(body) = lent {
            if body.poll_go_ahead(cx).is_ready() {
                self.go_ahead();
            }
            if let Poll::Ready(Err(_)) = self.poll_interim(cx) {
                return Poll::Ready(());
            }
            self.poll_home(cx, lent);
        }
        self.poll_gone(cx)
    }

    /// Takes the receiving end back when the body has ended.
    fn poll_home(&mut self, cx: &mut Context<'_>, lent: &mut Option<Lent>) {
        let Some(body) = lent else { return };
        if let Poll::Ready(Some(returned)) = body.poll_home(cx)
            && returned.finished
        {
            self.reader = Some(returned.reader);
            *lent = None;
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(reader) = self.reader.as_mut() else { return Poll::Pending };
        while reader.buffer.len() < READ_AHEAD {
            let readable = ready!(reader.io.as_ref().poll_read_ready(cx));
            match ready!(reader.poll_fill(cx, Expect::Head)) {
                Ok(1..) if readable.is_ok() => {}
                _ => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Writes an answer; an error means that it was the connection's last.
    ///
    /// An answer whose body fails before anything of it was sent becomes a refusal that says so.
    pub(super) async fn reply(
        &mut self,
        response: Response<Body>,
        asked: Asked,
        mut persistence: Persistence,
        mut lent: Option<Lent>,
    ) -> Result<(), Over> {
        let framing = self.start(response, asked, &mut persistence, &mut lent).await;
        let written = poll_fn(|cx| self.poll_reply(cx, &mut lent)).await;
        match written {
            Err(Failure::Body(error))
                if self.outgoing.sent() == 0 && error.kind() != ErrorKind::ClientGone =>
            {
                let framing = self.start(refusal::response(&error), asked, &mut persistence, &mut lent).await;
                let written = poll_fn(|cx| self.poll_reply(cx, &mut lent)).await;
                self.conclude(written, framing, persistence, lent).await
            }
            written => self.conclude(written, framing, persistence, lent).await,
        }
    }

    async fn start(
        &mut self,
        mut response: Response<Body>,
        asked: Asked,
        persistence: &mut Persistence,
        lent: &mut Option<Lent>,
    ) -> Framing {
        poll_fn(|cx| Poll::Ready(self.poll_home(cx, lent))).await;
        if lent.is_some() || self.drain.stage() >= Stage::LastAnswers {
            *persistence = Persistence::Close;
        }
        let body = mem::take(response.body_mut());
        let interim = self.take_begun_interim();
        let out = self.outgoing.head();
        out.extend_from_slice(interim);
        let framing = encode_response(out, &response, &body, asked, persistence);
        self.outgoing.start(framing, body);
        self.alarm.clear();
        framing
    }

    fn poll_reply(&mut self, cx: &mut Context<'_>, lent: &mut Option<Lent>) -> Poll<Result<(), Failure>> {
        let before = self.outgoing.sent();
        match self.outgoing.poll_write(cx, &mut self.writer) {
            Poll::Ready(written) => return Poll::Ready(written),
            Poll::Pending if self.outgoing.sent() > before => self.alarm.clear(),
            Poll::Pending => {}
        }
        self.poll_home(cx, lent);
        if self.outgoing.is_blocked() {
            self.alarm.set_if_clear(self.config.write_pause);
            ready!(self.alarm.poll(cx));
        } else {
            // The body's own patience counts while there is nothing to write.
            self.alarm.clear();
            ready!(self.poll_gone(cx));
        }
        let slow = Error::new(ErrorKind::ClientGone, "the client did not take its answer");
        Poll::Ready(Err(Failure::Body(slow)))
    }

    async fn conclude(
        &mut self,
        written: Result<(), Failure>,
        framing: Framing,
        persistence: Persistence,
        lent: Option<Lent>,
    ) -> Result<(), Over> {
        match written {
            Err(failure) => {
                self.abort(&failure, framing);
                Err(Over)
            }
            Ok(()) if persistence == Persistence::KeepAlive => Ok(()),
            Ok(()) => {
                let unread = self.reader.as_ref().is_none_or(|reader| !reader.buffer.is_empty());
                if unread || lent.is_some() {
                    self.linger(lent).await;
                }
                Err(Over)
            }
        }
    }

    /// Lets the client see that its answer is not whole. A missing end shows in every framing but one: where the
    /// end of the connection is the end of the body, only a reset tells.
    fn abort(&mut self, failure: &Failure, framing: Framing) {
        tracing::debug!(?failure, "an answer was cut off");
        self.resets = framing == Framing::UntilClose;
    }
}
