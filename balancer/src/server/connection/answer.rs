//! Asking the service and writing its answer.

use std::future::poll_fn;
use std::mem;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use tower::Service;

use super::client_body::{Lent, gone};
use super::{Asked, Connection, Ending, Over};
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
    ) -> Result<Response<Body>, Error>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
        S::Error: Into<Error>,
    {
        poll_fn(|cx| match service.poll_ready(cx) {
            Poll::Ready(ready) => Poll::Ready(ready.map_err(Into::into)),
            Poll::Pending => self.poll_client(cx, lent).map(Err),
        })
        .await?;
        let mut answer = pin!(service.call(request));
        poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => {
                // The body may have ended in this very step: then the connection can go on after the answer.
                self.poll_home(cx, lent);
                Poll::Ready(answer.map_err(Into::into))
            }
            Poll::Pending => self.poll_client(cx, lent).map(Err),
        })
        .await
    }

    /// Serves the client while the service works; ready when the client is gone.
    fn poll_client(&mut self, cx: &mut Context<'_>, lent: &mut Option<Lent>) -> Poll<Error> {
        if let Some(body) = lent {
            if body.poll_go_ahead(cx).is_ready() {
                self.go_ahead();
            }
            if let Poll::Ready(Err(error)) = self.poll_interim(cx) {
                return Poll::Ready(error);
            }
            self.poll_home(cx, lent);
        }
        self.poll_gone(cx)
    }

    /// Takes the receiving end back when the body has ended.
    fn poll_home(&mut self, cx: &mut Context<'_>, lent: &mut Option<Lent>) {
        if let Some(body) = lent
            && let Poll::Ready(reader) = body.poll_finished(cx)
        {
            self.reader = Some(reader);
            *lent = None;
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let Some(reader) = self.reader.as_mut() else { return Poll::Pending };
        while reader.buffer.len() < READ_AHEAD {
            if let Err(error) = ready!(reader.io.as_ref().poll_read_ready(cx)) {
                return Poll::Ready(gone(Some(error)));
            }
            match ready!(reader.poll_fill(cx, Expect::Head)) {
                Ok(0) => return Poll::Ready(gone(None)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(gone(Some(error))),
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
        persistence: Persistence,
        lent: &mut Option<Lent>,
    ) -> Result<(), Over> {
        let mut started = self.start(response, asked, persistence, lent);
        let mut written = poll_fn(|cx| self.poll_reply(cx, lent)).await;
        if let Err(Failure::Body(error)) = &written
            && self.outgoing.sent() == 0
            && error.kind() != ErrorKind::ClientGone
        {
            started = self.start(refusal::response(error), asked, persistence, lent);
            written = poll_fn(|cx| self.poll_reply(cx, lent)).await;
        }
        match (written, started) {
            (Ok(()), (_, Persistence::KeepAlive)) => Ok(()),
            (Ok(()), (_, Persistence::Close)) => Err(Over),
            (Err(failure), (framing, _)) => {
                self.abort(&failure, framing);
                Err(Over)
            }
        }
    }

    /// Puts the head of an answer before its body; returns how the body ends and what becomes of the connection.
    fn start(
        &mut self,
        mut response: Response<Body>,
        asked: Asked,
        mut persistence: Persistence,
        lent: &Option<Lent>,
    ) -> (Framing, Persistence) {
        // Where the next request starts is not known before the body of this one has ended.
        if lent.is_some() || self.drain.stage() >= Stage::LastAnswers {
            persistence = Persistence::Close;
        }
        let body = mem::take(response.body_mut());
        let interim = self.take_begun_interim();
        let out = self.outgoing.head();
        out.extend_from_slice(interim);
        let framing = encode_response(out, &response, &body, asked, &mut persistence);
        self.outgoing.start(framing, body);
        self.alarm.clear();
        (framing, persistence)
    }

    fn poll_reply(&mut self, cx: &mut Context<'_>, lent: &mut Option<Lent>) -> Poll<Result<(), Failure>> {
        let before = self.outgoing.sent();
        match self.outgoing.poll_write(cx, &mut self.writer) {
            Poll::Ready(written) => return Poll::Ready(written),
            Poll::Pending if self.outgoing.sent() > before => self.alarm.clear(),
            Poll::Pending => {}
        }
        self.poll_home(cx, lent);
        if !self.outgoing.is_blocked() {
            // The body's own patience counts while there is nothing to write.
            self.alarm.clear();
            return self.poll_gone(cx).map(|gone| Err(Failure::Body(gone)));
        }
        self.alarm.set_if_clear(self.config.write_pause);
        ready!(self.alarm.poll(cx));
        let slow = Error::new(ErrorKind::ClientGone, "the client did not take its answer");
        Poll::Ready(Err(Failure::Body(slow)))
    }

    /// Lets the client see that its answer is not whole. A missing end shows in every framing but one: where the
    /// end of the connection is the end of the body, only a reset tells.
    fn abort(&mut self, failure: &Failure, framing: Framing) {
        tracing::debug!(?failure, "an answer was cut off");
        self.ending = if framing == Framing::UntilClose { Ending::Reset } else { Ending::Close };
    }
}
