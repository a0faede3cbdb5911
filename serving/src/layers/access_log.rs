//! One line of the log for every answer.
//!
//! No replica has it unless it is added: it is work for every request, and most are of no interest. The line is a `tracing`
//! event of level `INFO` with the target `martello::access`.
//!
//! ```
//! use martello_serving::{Replica, layers::access_log::AccessLogLayer};
//!
//! let replica = Replica::builder().layer(AccessLogLayer::new());
//! ```

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{Method, Request, Response, Uri};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

/// Puts an [`AccessLog`] around a service.
#[derive(Debug, Clone, Copy, Default)]
pub struct AccessLogLayer;

impl AccessLogLayer {
    /// Creates the layer.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for AccessLogLayer {
    type Service = AccessLog<S>;

    fn layer(&self, inner: S) -> AccessLog<S> {
        AccessLog { inner }
    }
}

/// Logs method, path, status and time of every answer. The query is left out: it may hold secrets.
#[derive(Debug, Clone)]
pub struct AccessLog<S> {
    inner: S,
}

impl<S> AccessLog<S> {
    /// Wraps a service.
    pub fn new(inner: S) -> Self {
        Self { inner }
    }

    /// Returns the service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the service inside, to change it.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Takes the service out.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for AccessLog<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        ResponseFuture { future: self.inner.call(request), method, uri, begun: Instant::now() }
    }
}

pin_project! {
    /// The answer of an [`AccessLog`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        future: F,
        method: Method,
        uri: Uri,
        begun: Instant,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.future.poll(context));
        // An error has no status; whoever makes an answer of it has it logged.
        if let Ok(answer) = &answer {
            tracing::info!(
                target: "martello::access",
                method = %this.method,
                path = this.uri.path(),
                status = answer.status().as_u16(),
                microseconds = this.begun.elapsed().as_micros(),
            );
        }
        Poll::Ready(answer)
    }
}
