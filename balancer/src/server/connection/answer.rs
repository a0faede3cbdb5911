//! Asking the service and writing its answer.

use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Response, Version};

use super::client_body::{Lent, gone};
use super::{Asked, Connection, Ending, Over};
use crate::error::{Error, ErrorKind};
use crate::h1::{Body, Expect, Failure, Framing, Persistence, encode_response};
use crate::interim;
use crate::server::drain::Stage;
use crate::server::refusal;

/// How much of the next requests is read while one is being answered. Enough to see the end of a connection behind
/// a few pipelined heads; what is beyond waits in the kernel, whose window slows the client down.
const READ_AHEAD: usize = 16 * 1024;

/// What was said in the head of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Started {
    framing: Framing,
    persistence: Persistence,
}

impl Connection {
    /// Awaits the service's answer, as long as the client is there to hear it.
    ///
    /// A client that ends its sending direction while it waits counts as gone, as with nginx: in HTTP/1.1 it cannot
    /// be told from one that left, and what it asked for would be computed for nobody.
    pub(super) fn poll_answer<F, E>(
        &mut self,
        cx: &mut Context<'_>,
        answer: Pin<&mut F>,
        asked: Asked,
        lent: &mut Option<Lent>,
    ) -> Poll<Result<Response<Body>, Error>>
    where
        F: Future<Output = Result<Response<Body>, E>>,
        E: Into<Error>,
    {
        let step = interim::ForClient::begin();
        let Poll::Ready(answer) = answer.poll(cx) else {
            if let Some(interim) = step.heard() {
                self.pass_on(&interim, asked);
            }
            return self.poll_client(cx, lent).map(Err);
        };
        if let Some(interim) = step.heard() {
            self.pass_on(&interim, asked);
        }
        // The body may have ended in this very step: then the connection can go on after the answer.
        self.poll_home(cx, lent);
        Poll::Ready(answer.map_err(Into::into))
    }

    /// Serves the client while the service works; ready when the client is gone.
    pub(super) fn poll_client(&mut self, cx: &mut Context<'_>, lent: &mut Option<Lent>) -> Poll<Error> {
        if let Some(body) = lent
            && body.poll_go_ahead(cx).is_ready()
        {
            self.interim.go_ahead();
        }
        if !self.interim.is_empty()
            && let Poll::Ready(Err(error)) = self.poll_interim(cx)
        {
            return Poll::Ready(error);
        }
        if lent.is_some() {
            self.poll_home(cx, lent);
        }
        self.poll_gone(cx)
    }

    /// Sends what came before the answer ahead of it.
    #[cold]
    fn pass_on(&mut self, interim: &[Response<()>], asked: Asked) {
        // RFC 9110 section 15.2: an HTTP/1.0 client knows no such answers.
        if asked.version >= Version::HTTP_11 {
            self.interim.add(interim);
        }
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

    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
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

    /// Puts the head of an answer before its body; returns how the body ends and what becomes of the connection.
    pub(super) fn start(
        &mut self,
        mut response: Response<Body>,
        asked: Asked,
        lent: Option<&Lent>,
    ) -> Started {
        let mut persistence = asked.persistence;
        // Where the next request starts is not known before the body of this one has ended.
        if lent.is_some() || self.drain.stage() >= Stage::LastAnswers {
            persistence = Persistence::Close;
        }
        let mut body = mem::take(response.body_mut());
        if asked.upgrade && self.came_in_vain(&body) {
            persistence = Persistence::Close;
        }
        let out = self.outgoing.head();
        // It stays until the next request: when the body fails before a byte was sent, another answer follows it.
        out.extend_from_slice(self.interim.before_answer());
        let framing = encode_response(out, &response, &body, (asked.method, asked.version), &mut persistence);
        if asked.upgrade {
            self.tunnel = body.take_tunnel();
        }
        self.outgoing.start(framing, body);
        self.alarm.clear();
        Started { framing, persistence }
    }

    /// Whether bytes came behind a wish that is not granted: they may be in the other protocol, and no request.
    fn came_in_vain(&self, body: &Body) -> bool {
        let early = self.reader.as_ref().is_some_and(|reader| !reader.buffer.is_empty());
        body.as_tunnel().is_none() && early
    }

    /// Writes the answer that was started; an error means that it was the connection's last.
    ///
    /// An answer whose body fails before anything of it was sent becomes a refusal that says so.
    pub(super) async fn reply(
        &mut self,
        mut started: Started,
        asked: Asked,
        lent: &mut Option<Lent>,
    ) -> Result<(), Over> {
        let mut written = poll_fn(|cx| self.poll_reply(cx, lent)).await;
        if let Err(Failure::Body(error)) = &written
            && self.outgoing.sent() == 0
            && error.kind() != ErrorKind::ClientGone
        {
            started = self.start(refusal::response(error), asked, lent.as_ref());
            written = poll_fn(|cx| self.poll_reply(cx, lent)).await;
        }
        match written {
            Ok(()) if started.persistence == Persistence::KeepAlive => Ok(()),
            Ok(()) => Err(Over),
            Err(failure) => {
                self.abort(&failure, started.framing);
                Err(Over)
            }
        }
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
        // What it did not take would otherwise stay in the kernel for minutes after the connection was closed.
        self.ending = Ending::Reset;
        let slow = Error::new(ErrorKind::ClientGone, "the client did not take its answer");
        Poll::Ready(Err(Failure::Body(slow)))
    }

    /// Lets the client see that its answer is not whole. A missing end shows in every framing but one: where the
    /// end of the connection is the end of the body, only a reset tells.
    fn abort(&mut self, failure: &Failure, framing: Framing) {
        tracing::debug!(?failure, "an answer was cut off");
        self.tunnel = None;
        if framing == Framing::UntilClose {
            self.ending = Ending::Reset;
        } else if self.ending != Ending::Reset {
            self.ending = Ending::Close;
        }
    }
}
