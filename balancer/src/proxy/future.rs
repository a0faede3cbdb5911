//! The future of a proxied answer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;

use super::{Via, hop_by_hop};
use crate::h1::Body;
use crate::interim;

pin_project! {
    /// The future of a [`Proxy`](super::Proxy)'s answer.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ProxyFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = StateProjection]
    enum State<F> {
        Forwarded { #[pin] answer: F, via: Option<Via> },
        Answered { answer: Option<Response<Body>> },
    }
}

impl<F> ProxyFuture<F> {
    pub(super) fn forwarded(answer: F, via: Option<Via>) -> Self {
        Self { state: State::Forwarded { answer, via } }
    }

    pub(super) fn answered(answer: Response<Body>) -> Self {
        Self { state: State::Answered { answer: Some(answer) } }
    }
}

impl<F, E> Future for ProxyFuture<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Forwarded { answer, via } => {
                let step = interim::ThroughProxy::begin();
                let polled = answer.poll(cx);
                step.pass(|interim| apply(interim, *via));
                let mut response = ready!(polled)?;
                apply(&mut response, *via);
                Poll::Ready(Ok(response))
            }
            StateProjection::Answered { answer } => {
                Poll::Ready(Ok(answer.take().expect("a future is not polled after it was ready")))
            }
        }
    }
}

/// The rules for an answer.
#[inline]
fn apply<B>(response: &mut Response<B>, via: Option<Via>) {
    hop_by_hop::remove(response.headers_mut());
    if let Some(via) = via {
        via.sign(response.version(), response.headers_mut());
    }
}
