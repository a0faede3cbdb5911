//! The future.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use pin_project_lite::pin_project;

use super::permits::Permit;
use crate::api::reply;

pin_project! {
    /// The answer of [`Admission`](super::Admission).
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        admitted: Option<F>,
        // Given back when the answer is there or nobody waits for it any more.
        permit: Option<Permit>,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn admitted(future: F, permit: Permit) -> Self {
        Self { admitted: Some(future), permit: Some(permit) }
    }

    pub(super) fn shed() -> Self {
        Self { admitted: None, permit: None }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().admitted.as_pin_mut() {
            Some(future) => future.poll(context),
            None => Poll::Ready(Ok(reply::shed())),
        }
    }
}
