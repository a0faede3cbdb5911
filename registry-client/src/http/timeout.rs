//! A limit on how long one attempt may take.

use std::task::{Context, Poll};
use std::time::Duration;

use tower::{Layer, Service};

use super::failure::Reach;
use super::reply::Reply;
use super::{Call, Failure};
use crate::store::BoxFuture;
use crate::{Error, ErrorKind};

/// Ends an attempt that takes longer than the usual and what its size adds.
#[derive(Debug, Clone)]
pub(crate) struct TimeoutLayer {
    usual: Duration,
}

/// The service of [`TimeoutLayer`].
#[derive(Debug, Clone)]
pub(crate) struct Timeout<S> {
    inner: S,
    usual: Duration,
}

impl TimeoutLayer {
    pub(crate) fn new(usual: Duration) -> Self {
        Self { usual }
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = Timeout<S>;

    fn layer(&self, inner: S) -> Timeout<S> {
        Timeout { inner, usual: self.usual }
    }
}

impl<S> Service<Call> for Timeout<S>
where
    S: Service<Call, Response = Reply, Error = Failure>,
    S::Future: Send + 'static,
{
    type Response = Reply;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Reply, Failure>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let (limit, doing) = (self.usual + call.extra_patience, call.doing.clone());
        let attempt = tokio::time::timeout(limit, self.inner.call(call));
        Box::pin(async move {
            attempt.await.unwrap_or_else(|_| {
                let message = format!("cannot {doing}: no answer within {limit:?}");
                Err(Failure::passing(Error::new(ErrorKind::Timeout, message), Reach::Unknown))
            })
        })
    }
}
