//! The service.

use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tower::Service;

use super::permits::Permits;
use super::queue_delay::QueueDelay;
use super::{Arrived, ResponseFuture};
use crate::Workers;

/// Calls the service inside, or answers 503 if enough requests are in flight or the wait is too long.
#[derive(Debug, Clone)]
pub struct Admission<S> {
    inner: S,
    // Shared by the clones: the limit is one for all connections.
    permits: Permits,
    delay: Option<QueueDelay>,
    workers: Option<Workers>,
}

impl<S> Admission<S> {
    /// Wraps a service, admitting that many requests at once.
    pub fn new(inner: S, in_flight: usize) -> Self {
        Self { inner, permits: Permits::new(in_flight), delay: None, workers: None }
    }

    /// Admits only who will not wait longer than `target`, or than `burst` while the queue has not stood for that long.
    #[must_use]
    pub fn with_delays(mut self, target: Duration, burst: Duration) -> Self {
        self.delay = Some(QueueDelay::new(target, burst));
        self
    }

    /// Counts what waits for these workers as part of the wait.
    #[must_use]
    pub fn with_workers(mut self, workers: Workers) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Returns false for a request that would wait too long, from when it came to when the model is asked.
    fn is_in_time<B>(&self, request: &Request<B>) -> bool {
        let Some(delay) = &self.delay else { return true };
        let waited = request.extensions().get().map_or(Duration::ZERO, |Arrived(at)| at.elapsed());
        let (ahead, step) = self
            .workers
            .as_ref()
            .map_or_else(Default::default, |workers| (workers.expected_wait(), workers.usual_step()));
        delay.admits(waited, ahead, step)
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
        let permit = if self.is_in_time(&request) { self.permits.acquire() } else { None };
        match permit {
            Some(permit) => ResponseFuture::admitted(self.inner.call(request), permit),
            None => ResponseFuture::shed(),
        }
    }
}
