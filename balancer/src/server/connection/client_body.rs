//! A request's body that is still on its way.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::h1::{Alarm, Body, Decoded, Decoder, Expect, Reader, Ready, Violation};
use crate::server::ServerConfig;

/// The receiving end of a client's connection.
pub(super) type ClientReader = Reader<OwnedReadHalf>;

/// The connection's side of a body that has its receiving end.
#[derive(Debug)]
pub(super) struct Lent {
    home: oneshot::Receiver<Returned>,
    go_ahead: Option<oneshot::Receiver<()>>,
    /// What came back although the body had not ended: a place in the middle of a request.
    unfinished: Option<ClientReader>,
    is_back: bool,
}

/// What a body gives back when it has ended or nobody wants it any more.
#[derive(Debug)]
struct Returned {
    reader: ClientReader,
    /// Whether the next byte is the next request's.
    finished: bool,
}

impl Lent {
    /// Ready when the body has ended and the receiving end stands before the next request.
    pub(super) fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<ClientReader> {
        if self.is_back {
            return Poll::Pending;
        }
        let returned = ready!(Pin::new(&mut self.home).poll(cx));
        self.is_back = true;
        match returned {
            Ok(Returned { reader, finished: true }) => return Poll::Ready(reader),
            Ok(Returned { reader, .. }) => self.unfinished = Some(reader),
            // The body was leaked, which ends the connection as an unfinished body does.
            Err(_) => {}
        }
        Poll::Pending
    }

    /// Ready with the receiving end wherever it stands, as soon as the body is done with it.
    pub(super) fn poll_back(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientReader>> {
        match self.poll_finished(cx) {
            Poll::Ready(reader) => Poll::Ready(Some(reader)),
            Poll::Pending if self.is_back => Poll::Ready(self.unfinished.take()),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Ready, once, when somebody reads the body for which the client awaits a `100 Continue`.
    pub(super) fn poll_go_ahead(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(go_ahead) = self.go_ahead.as_mut() else { return Poll::Pending };
        let wanted = ready!(Pin::new(go_ahead).poll(cx));
        self.go_ahead = None;
        if wanted.is_ok() { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// A body that is read from the client's connection as it is asked for.
pub(super) struct ClientBody {
    reader: Option<ClientReader>,
    decoder: Decoder,
    ready: Ready,
    home: Option<oneshot::Sender<Returned>>,
    go_ahead: Option<oneshot::Sender<()>>,
    alarm: Alarm,
    pause: Duration,
    until: Instant,
}

impl ClientBody {
    /// Lends the receiving end to a body.
    pub(super) fn lend(
        reader: ClientReader,
        decoder: Decoder,
        ready: Ready,
        expects_continue: bool,
        config: &ServerConfig,
    ) -> (Body, Lent) {
        let (home, returned) = oneshot::channel();
        let (go_ahead, wanted) = match expects_continue {
            true => Some(oneshot::channel()).unzip(),
            false => (None, None),
        };
        let body = Self {
            reader: Some(reader),
            decoder,
            ready,
            home: Some(home),
            go_ahead,
            alarm: Alarm::default(),
            pause: config.body_pause,
            until: Instant::now() + config.body_timeout,
        };
        (Body::stream(body), Lent { home: returned, go_ahead: wanted, unfinished: None, is_back: false })
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if !self.ready.content.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.ready.content)))));
        }
        if let Some(trailers) = self.ready.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        let Some(reader) = self.reader.as_mut() else { return Poll::Ready(None) };
        loop {
            match self.decoder.decode(&mut reader.buffer).map_err(Violation::in_request)? {
                Decoded::Data(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Decoded::Trailers(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Decoded::End => return Poll::Ready(None),
                Decoded::More => {}
            }
            if let Some(go_ahead) = self.go_ahead.take() {
                // The connection may be gone already; reading will tell.
                let _ = go_ahead.send(());
            }
            match reader.poll_fill(cx, Expect::Stream) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Some(Err(gone(None)))),
                Poll::Ready(Ok(_)) => self.alarm.clear(),
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(gone(Some(error))))),
                Poll::Pending => break,
            }
        }
        self.alarm.set_if_clear(self.pause.min(self.until.saturating_duration_since(Instant::now())));
        ready!(self.alarm.poll(cx));
        Poll::Ready(Some(Err(Error::new(ErrorKind::ClientTimeout, "a request's body did not come in time"))))
    }

    fn give_back(&mut self) {
        let finished = self.decoder.is_done();
        if let (Some(reader), Some(home)) = (self.reader.take(), self.home.take()) {
            // A connection that has ended in the meantime does not want it back.
            let _ = home.send(Returned { reader, finished });
        }
    }
}

impl HttpBody for ClientBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = ready!(self.poll_content(cx));
        self.alarm.clear();
        if matches!(polled, Some(Err(_))) || self.decoder.is_done() {
            self.give_back();
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.reader.is_none() && self.ready.content.is_empty() && self.ready.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.decoder.left() {
            // Behind a length there is no place for trailers.
            Some(left) if self.ready.trailers.is_none() => {
                SizeHint::with_exact(left + self.ready.content.len() as u64)
            }
            _ => SizeHint::default(),
        }
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// The client left before its request was whole.
pub(super) fn gone(source: Option<std::io::Error>) -> Error {
    let error = Error::new(ErrorKind::ClientGone, "the client closed its connection");
    match source {
        Some(source) => error.because(source),
        None => error,
    }
}
