//! What a server answered when all went well.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::transfer::Pace;
use crate::{ByteStream, Error, ErrorKind, Result};

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: ReplyBody,
}

/// The body, as the call wanted it.
#[derive(Debug)]
pub(crate) enum ReplyBody {
    Whole(Bytes),
    Stream(Incoming),
}

impl Reply {
    /// Returns the body of a call that wanted it whole.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self.body {
            ReplyBody::Whole(bytes) => bytes,
            ReplyBody::Stream(_) => Bytes::new(),
        }
    }

    /// Returns the body piece by piece; each piece must come within `idle`.
    pub(crate) fn into_stream(self, doing: Arc<str>, idle: Duration) -> ByteStream {
        let body = match self.body {
            ReplyBody::Whole(bytes) => StreamedBody::Whole(Some(bytes)),
            ReplyBody::Stream(incoming) => StreamedBody::Incoming(incoming),
        };
        let timer = Box::pin(tokio::time::sleep(idle));
        Box::pin(Pieces { body, timer, idle, pace: Pace::new(idle), waiting: None, doing, ended: false })
    }
}

enum StreamedBody {
    Whole(Option<Bytes>),
    Incoming(Incoming),
}

/// The pieces of a body. Ends after the first error, as hyper does when a connection closes before the announced end.
struct Pieces {
    body: StreamedBody,
    timer: Pin<Box<Sleep>>,
    idle: Duration,
    pace: Pace,
    /// Since when the next piece is waited for.
    waiting: Option<Instant>,
    doing: Arc<str>,
    ended: bool,
}

impl Pieces {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let incoming = match &mut self.body {
            StreamedBody::Whole(bytes) => return Poll::Ready(bytes.take().map(Ok)),
            StreamedBody::Incoming(incoming) => incoming,
        };
        loop {
            match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
                Some(Err(error)) => {
                    let message = format!("cannot {}: the answer broke off before its end", self.doing);
                    return Poll::Ready(Some(Err(
                        Error::new(ErrorKind::Unavailable, message).with_source(error)
                    )));
                }
            }
        }
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let since = *this.waiting.get_or_insert_with(|| {
            this.timer.as_mut().reset(Instant::now() + this.idle);
            Instant::now()
        });
        let next = match this.poll_piece(cx) {
            Poll::Ready(Some(Ok(piece))) if !this.pace.goes_on(piece.len(), since.elapsed()) => {
                let message = format!("cannot {}: next to nothing came in {:?}", this.doing, this.idle);
                Some(Err(Error::new(ErrorKind::Timeout, message)))
            }
            Poll::Ready(next) => next,
            Poll::Pending => {
                ready!(this.timer.as_mut().poll(cx));
                let message = format!("cannot {}: nothing came for {:?}", this.doing, this.idle);
                Some(Err(Error::new(ErrorKind::Timeout, message)))
            }
        };
        this.waiting = None;
        this.ended = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }
}
