//! What stands before the replicas: the balancer's own pages.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

use super::Status;
use crate::{Body, StatusPaths};

/// Answers the status pages, and hands every other request on.
#[derive(Debug, Clone)]
pub(super) struct Front<S> {
    inner: S,
    paths: Arc<StatusPaths>,
    status: Status,
}

impl<S> Front<S> {
    pub(super) fn new(inner: S, paths: Arc<StatusPaths>, status: Status) -> Self {
        Self { inner, paths, status }
    }
}

impl<S> Service<Request<Body>> for Front<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = FrontFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.paths.page(request.uri().path()) {
            Some(page) => FrontFuture::Own {
                answer: Some(page.answer(&request, &self.paths, || self.status.snapshot())),
            },
            None => FrontFuture::Proxied { answer: self.inner.call(request) },
        }
    }
}

pin_project! {
    #[project = Projection]
    pub(super) enum FrontFuture<F> {
        Own { answer: Option<Response<Body>> },
        Proxied { #[pin] answer: F },
    }
}

impl<F, E> Future for FrontFuture<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project() {
            Projection::Own { answer } => {
                Poll::Ready(Ok(answer.take().expect("a future is not polled after it has ended")))
            }
            Projection::Proxied { answer } => answer.poll(cx),
        }
    }
}

impl<F> fmt::Debug for FrontFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own { .. } => "Own",
            Self::Proxied { .. } => "Proxied",
        })
    }
}
