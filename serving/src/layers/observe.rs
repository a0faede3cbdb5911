//! One frame for layers that only look: at the head of a request, and again at the head of its answer.
//!
//! The [access log](super::access_log) and the [load report](super::orca) are observers; so may yours be. An observer that is
//! an `Option` is there or not without changing the type of the service, which a program needs whose settings decide.
//!
//! ```
//! use http::{HeaderValue, Request, Response};
//! use martello_serving::layers::observe::{Observe, ObserveLayer};
//! use tower::{Layer as _, ServiceExt as _, service_fn};
//!
//! /// Tells every caller how long its path was.
//! #[derive(Debug, Clone)]
//! struct PathLength;
//!
//! impl Observe for PathLength {
//!     type Seen = usize;
//!
//!     fn request<B>(&self, request: &Request<B>) -> usize {
//!         request.uri().path().len()
//!     }
//!
//!     fn answer<R>(&self, seen: &usize, answer: &mut Response<R>) {
//!         answer.headers_mut().insert("x-path-length", HeaderValue::from(*seen));
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let service = service_fn(|_: Request<()>| async { Ok::<_, std::convert::Infallible>(Response::new(())) });
//! let service = ObserveLayer::with(Some(PathLength)).layer(service);
//! let answer = service.oneshot(Request::get("/health").body(()).unwrap()).await.unwrap();
//! assert_eq!(answer.headers()["x-path-length"], "7");
//! # }
//! ```

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

/// Looks at requests and their answers.
pub trait Observe {
    /// What is kept of a request until its answer is there.
    type Seen;

    /// Looks at a request before the service does.
    fn request<B>(&self, request: &Request<B>) -> Self::Seen;

    /// Looks at the answer, and may add to its head. A service that fails has no answer.
    fn answer<R>(&self, seen: &Self::Seen, answer: &mut Response<R>);
}

impl<O: Observe> Observe for Option<O> {
    type Seen = Option<O::Seen>;

    fn request<B>(&self, request: &Request<B>) -> Self::Seen {
        self.as_ref().map(|observer| observer.request(request))
    }

    fn answer<R>(&self, seen: &Self::Seen, answer: &mut Response<R>) {
        if let (Some(observer), Some(seen)) = (self, seen) {
            observer.answer(seen, answer);
        }
    }
}

/// Puts an [`Observed`] around a service.
#[derive(Debug, Clone, Copy, Default)]
pub struct ObserveLayer<O> {
    observer: O,
}

impl<O> ObserveLayer<O> {
    /// Creates the layer; each service that it makes has a clone of the observer.
    #[must_use]
    pub fn with(observer: O) -> Self {
        Self { observer }
    }
}

impl<S, O: Clone> Layer<S> for ObserveLayer<O> {
    type Service = Observed<S, O>;

    fn layer(&self, inner: S) -> Observed<S, O> {
        Observed { inner, observer: self.observer.clone() }
    }
}

/// A service that is looked at.
#[derive(Debug, Clone)]
pub struct Observed<S, O> {
    inner: S,
    observer: O,
}

impl<S, O> Observed<S, O> {
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

impl<S, O, B, R> Service<Request<B>> for Observed<S, O>
where
    S: Service<Request<B>, Response = Response<R>>,
    O: Observe + Clone,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, O>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let seen = self.observer.request(&request);
        ResponseFuture { future: self.inner.call(request), observer: self.observer.clone(), seen }
    }
}

pin_project! {
    /// The answer of an [`Observed`].
    #[derive(Debug)]
    pub struct ResponseFuture<F, O: Observe> {
        #[pin]
        future: F,
        observer: O,
        seen: O::Seen,
    }
}

impl<F, O, R, E> Future for ResponseFuture<F, O>
where
    F: Future<Output = Result<Response<R>, E>>,
    O: Observe,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut answer = ready!(this.future.poll(context))?;
        this.observer.answer(this.seen, &mut answer);
        Poll::Ready(Ok(answer))
    }
}
