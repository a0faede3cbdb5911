//! Puts the pieces of a body together.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::Sleep;

pin_project! {
    /// A body on its way to be whole, under a limit and a deadline.
    #[derive(Debug)]
    pub(super) struct Collect<B> {
        #[pin]
        body: B,
        // The usual body comes in one piece, which is handed on as it is.
        first: Option<Bytes>,
        rest: BytesMut,
        bytes: usize,
        within: Duration,
        // Boxed and only set once the body keeps us waiting, which the usual body does not.
        deadline: Option<Pin<Box<Sleep>>>,
    }
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoBody {
    pub(super) status: StatusCode,
    pub(super) json: &'static [u8],
}

impl NoBody {
    const TOO_LONG: Self =
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, json: br#"{"detail":"Request body too large"}"# };
    const TOO_SLOW: Self = Self {
        status: StatusCode::REQUEST_TIMEOUT,
        json: br#"{"detail":"Request body not received in time"}"#,
    };
    const BROKEN: Self = Self {
        status: StatusCode::BAD_REQUEST,
        json: br#"{"detail":"There was an error parsing the body"}"#,
    };
}

impl<B: Body<Data = Bytes>> Collect<B> {
    pub(super) fn new(body: B, bytes: usize, within: Duration) -> Self {
        Self { body, first: None, rest: BytesMut::new(), bytes, within, deadline: None }
    }

    /// Waits for the whole body.
    pub(super) fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Bytes, NoBody>> {
        let mut this = self.project();
        if this.first.is_none() && this.body.size_hint().lower() > *this.bytes as u64 {
            return Poll::Ready(Err(NoBody::TOO_LONG));
        }
        loop {
            let Poll::Ready(frame) = this.body.as_mut().poll_frame(context) else {
                let within = *this.within;
                let deadline = this.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
                ready!(deadline.as_mut().poll(context));
                return Poll::Ready(Err(NoBody::TOO_SLOW));
            };
            match frame.map(|frame| frame.map(http_body::Frame::into_data)) {
                Some(Ok(Ok(data))) => {
                    let so_far = this.first.as_ref().map_or(0, Bytes::len) + this.rest.len();
                    if data.len() > *this.bytes - so_far {
                        return Poll::Ready(Err(NoBody::TOO_LONG));
                    }
                    match this.first {
                        None => *this.first = Some(data),
                        Some(_) => this.rest.extend_from_slice(&data),
                    }
                    if this.body.is_end_stream() {
                        return Poll::Ready(Ok(join(this.first.take(), this.rest)));
                    }
                }
                // Trailers say nothing to a handler that reads the whole body.
                Some(Ok(Err(_))) => {}
                Some(Err(_)) => return Poll::Ready(Err(NoBody::BROKEN)),
                None => return Poll::Ready(Ok(join(this.first.take(), this.rest))),
            }
        }
    }
}

fn join(first: Option<Bytes>, rest: &mut BytesMut) -> Bytes {
    match first {
        None => Bytes::new(),
        Some(first) if rest.is_empty() => first,
        Some(first) => {
            let mut whole = BytesMut::with_capacity(first.len() + rest.len());
            whole.extend_from_slice(&first);
            whole.extend_from_slice(rest);
            whole.freeze()
        }
    }
}
