//! The service.

use std::mem;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower::Service;

use super::ResponseFuture;

/// Reads the body, then calls the service inside with it.
#[derive(Debug, Clone)]
pub struct ReadBody<S> {
    inner: S,
    bytes: usize,
    within: Duration,
}

impl<S> ReadBody<S> {
    /// Wraps a service: at most `bytes` of body, read `within` a time.
    pub fn new(inner: S, bytes: usize, within: Duration) -> Self {
        Self { inner, bytes, within }
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

impl<S, B, R> Service<Request<B>> for ReadBody<S>
where
    S: Service<Request<Bytes>, Response = Response<R>> + Clone,
    B: Body<Data = Bytes>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was polled ready goes with the request.
        let next = self.inner.clone();
        let ready = mem::replace(&mut self.inner, next);
        ResponseFuture::new(ready, request, self.bytes, self.within)
    }
}
