//! The service.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower::Service;

use super::ResponseFuture;
use super::permits::Permits;

/// Calls the service inside, or answers 503 if enough requests are in flight.
#[derive(Debug, Clone)]
pub struct Admission<S> {
    inner: S,
    // Shared by the clones: the limit is one for all connections.
    permits: Permits,
}

impl<S> Admission<S> {
    /// Wraps a service, admitting that many requests at once.
    pub fn new(inner: S, in_flight: usize) -> Self {
        Self { inner, permits: Permits::new(in_flight) }
    }

    /// Returns the number of requests in flight.
    pub fn in_flight(&self) -> usize {
        self.permits.in_flight()
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

impl<S, B, R> Service<Request<B>> for Admission<S>
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
        match self.permits.acquire() {
            Some(permit) => ResponseFuture::admitted(self.inner.call(request), permit),
            None => ResponseFuture::shed(),
        }
    }
}
