//! Gives up what takes too long: nobody waits for it any more.
//!
//! A caller says how long it waits, in milliseconds, by `martello-timeout-ms` or Envoy's `x-envoy-expected-rq-timeout-ms`;
//! a default stands for callers that say nothing, and bounds those that say too much. When the time is over the answer is
//! 504 and the work is dropped: rows that wait for a thread are never asked about.
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use martello_serving::layers::deadline::DeadlineLayer;
//! use tower::{Layer as _, ServiceExt as _, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let slow = service_fn(|_: Request<()>| std::future::pending::<Result<Response<Full<Bytes>>, std::convert::Infallible>>());
//! let service = DeadlineLayer::new(Duration::from_secs(60)).layer(slow);
//! let request = Request::builder().header("martello-timeout-ms", "5").body(()).unwrap();
//! assert_eq!(service.oneshot(request).await.unwrap().status(), 504);
//! # }
//! ```

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};
use tower::{Layer, Service};

use crate::api::reply;

/// How many milliseconds the caller waits for the answer.
pub const TIMEOUT: HeaderName = HeaderName::from_static("martello-timeout-ms");

/// The same, as Envoy tells it to whatever it routes to.
const ENVOY_TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");

/// Puts a [`Deadline`] around a service.
#[derive(Debug, Clone, Copy)]
pub struct DeadlineLayer {
    most: Duration,
}

impl DeadlineLayer {
    /// Creates the layer; no answer takes longer than `most`.
    #[must_use]
    pub fn new(most: Duration) -> Self {
        Self { most }
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline::new(inner, self.most)
    }
}

/// Answers 504 in place of the service inside when the time is over.
#[derive(Debug, Clone)]
pub struct Deadline<S> {
    inner: S,
    most: Duration,
}

impl<S> Deadline<S> {
    /// Wraps a service; no answer takes longer than `most`.
    pub fn new(inner: S, most: Duration) -> Self {
        Self { inner, most }
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

    pub(crate) fn map<T>(self, change: impl FnOnce(S) -> T) -> Deadline<T> {
        Deadline { inner: change(self.inner), most: self.most }
    }
}

impl<S, B, R> Service<Request<B>> for Deadline<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let within = told(request.headers()).map_or(self.most, |told| told.min(self.most));
        ResponseFuture { future: self.inner.call(request), within, begun: Instant::now(), deadline: None }
    }
}

/// Returns how long the caller waits; what is no number says nothing.
fn told(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(TIMEOUT).or_else(|| headers.get(ENVOY_TIMEOUT))?;
    value.to_str().ok()?.parse().ok().map(Duration::from_millis)
}

pin_project! {
    /// The answer of a [`Deadline`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        future: F,
        within: Duration,
        begun: Instant,
        // Boxed and only set once the answer keeps us waiting, which the usual answer does not.
        deadline: Option<Pin<Box<Sleep>>>,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(answer) = this.future.poll(context) {
            return Poll::Ready(answer);
        }
        let end = *this.begun + *this.within;
        ready!(
            this.deadline
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)))
                .as_mut()
                .poll(context)
        );
        Poll::Ready(Ok(reply::pure(reply::detail(
            StatusCode::GATEWAY_TIMEOUT,
            "The answer was not ready in time",
        ))))
    }
}
