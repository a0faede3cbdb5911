//! One line of trace per call: what, where, how long, how it ended. Neither queries nor headers, which may hold secrets.

use std::task::{Context, Poll};

use tower::{Layer, Service};

use super::reply::Reply;
use super::{Call, Failure};
use crate::store::BoxFuture;

/// Traces each call with all its attempts.
#[derive(Debug, Clone)]
pub(crate) struct TraceLayer;

/// The service of [`TraceLayer`].
#[derive(Debug, Clone)]
pub(crate) struct Trace<S> {
    inner: S,
}

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace { inner }
    }
}

impl<S> Service<Call> for Trace<S>
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
        let (method, doing, begun) = (call.method.clone(), call.doing.clone(), call.begun);
        let path = call.target.path_only().to_owned();
        let work = self.inner.call(call);
        Box::pin(async move {
            let result = work.await;
            let took = begun.elapsed();
            match &result {
                Ok(_) => tracing::debug!(%method, %path, ?took, "{doing}"),
                Err(failure) => {
                    tracing::debug!(%method, %path, ?took, error = %failure.error, "{doing} failed")
                }
            }
            result
        })
    }
}
