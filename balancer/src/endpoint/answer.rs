//! The body of an answer that is still on its way.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::connection::Connection;
use super::failure;
use super::pool::Pool;
use crate::error::{Error, Stage};
use crate::h1::{Decoded, Decoder, Expect, Failure, Outgoing, Ready, Violation};

/// How far a request's body has come.
#[derive(Debug)]
pub(super) enum Upload {
    Writing,
    Written,
    /// The replica takes no more of it.
    Refused(io::Error),
}

impl Upload {
    /// Whether it is the client that everybody waits for: that is for the body to bear, and no failure of the replica's.
    pub(super) fn waits_for_client(&self, outgoing: &Outgoing) -> bool {
        matches!(self, Self::Writing) && !outgoing.is_blocked()
    }
}

/// A body that is read from its connection as it is asked for.
///
/// It also goes on sending the request's body, if the replica began to answer before it had the whole: both
/// directions flow at once. When the body has ended, the connection returns to its pool; dropped earlier, it is
/// closed.
pub(super) struct Answer {
    connection: Option<Box<Connection>>,
    pool: Arc<Pool>,
    decoder: Decoder,
    ready: Ready,
    upload: Upload,
    keep_alive: bool,
}

impl Answer {
    pub(super) fn new(
        connection: Box<Connection>,
        pool: Arc<Pool>,
        decoder: Decoder,
        ready: Ready,
        upload: Upload,
        keep_alive: bool,
    ) -> Self {
        let mut answer = Self { connection: Some(connection), pool, decoder, ready, upload, keep_alive };
        answer.give_back_if_done();
        answer
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(frame) = self.take_ready() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let Some(connection) = self.connection.as_mut() else { return Poll::Ready(None) };
        let mut progress = poll_upload(cx, &mut self.upload, connection);
        loop {
            match self.decoder.decode(connection.buffer()).map_err(Violation::in_response)? {
                Decoded::Data(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Decoded::Trailers(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Decoded::End => return Poll::Ready(None),
                Decoded::More => {}
            }
            match connection.reader.poll_fill(cx, Expect::Stream) {
                Poll::Ready(Ok(0)) if self.decoder.close() => return Poll::Ready(None),
                Poll::Ready(Ok(0)) => return Poll::Ready(Some(Err(lost(None)))),
                Poll::Ready(Ok(_)) => progress = true,
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(lost(Some(error))))),
                Poll::Pending => break,
            }
        }
        self.poll_patience(cx, progress).map(Some)
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>, progress: bool) -> Poll<Result<Frame<Bytes>, Error>> {
        let Some(connection) = self.connection.as_mut() else { return Poll::Pending };
        if self.upload.waits_for_client(&connection.outgoing) {
            connection.alarm.clear();
            return Poll::Pending;
        }
        let patience = self.pool.config.progress_timeout;
        match progress {
            true => connection.alarm.set(patience),
            false => connection.alarm.set_if_clear(patience),
        }
        ready!(connection.alarm.poll(cx));
        Poll::Ready(Err(failure::timeout(Stage::ResponseStarted)))
    }

    fn take_ready(&mut self) -> Option<Frame<Bytes>> {
        if !self.ready.content.is_empty() {
            return Some(Frame::data(std::mem::take(&mut self.ready.content)));
        }
        self.ready.trailers.take().map(Frame::trailers)
    }

    /// Lets the connection go as early as possible: with the last piece, not after it was asked what follows.
    fn give_back_if_done(&mut self) {
        if !self.decoder.is_done() {
            return;
        }
        let Some(connection) = self.connection.take() else { return };
        if self.keep_alive && matches!(self.upload, Upload::Written) {
            self.pool.put(connection);
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = ready!(self.poll_content(cx));
        if let Some(Err(_)) = polled {
            self.connection = None;
        } else {
            if let Some(connection) = self.connection.as_mut() {
                // The next wait has its own patience: a slow client is not the replica's fault.
                connection.alarm.clear();
            }
            self.give_back_if_done();
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.connection.is_none() && self.ready.content.is_empty() && self.ready.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let ready = self.ready.content.len() as u64;
        match self.decoder.left() {
            // Behind a length there is no place for trailers.
            Some(left) if self.ready.trailers.is_none() => SizeHint::with_exact(left + ready),
            _ => SizeHint::default(),
        }
    }
}

/// Sends what can be sent and returns whether any was. A failure does not end the answer, which may be about that
/// very failure.
fn poll_upload(cx: &mut Context<'_>, upload: &mut Upload, connection: &mut Connection) -> bool {
    if !matches!(upload, Upload::Writing) {
        return false;
    }
    let before = connection.outgoing.sent();
    match connection.outgoing.poll_write(cx, &mut connection.reader.io) {
        Poll::Pending => {}
        Poll::Ready(Ok(())) => *upload = Upload::Written,
        Poll::Ready(Err(Failure::Io(error))) => *upload = Upload::Refused(error),
        Poll::Ready(Err(Failure::Body(_))) => *upload = Upload::Refused(io::ErrorKind::BrokenPipe.into()),
    }
    connection.outgoing.sent() > before
}

fn lost(source: Option<io::Error>) -> Error {
    failure::lost(Stage::ResponseStarted, true, source)
}
