//! The future: first the body, then the answer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::Service;

use super::collect::{Collect, NoBody};
use crate::api::reply;

pin_project! {
    /// The answer of [`ReadBody`](super::ReadBody).
    pub struct ResponseFuture<S, B> where S: Service<Request<Bytes>> {
        #[pin]
        state: State<S, B, S::Future>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, F> {
        Reading { #[pin] body: Collect<B>, waiting: Option<(S, Parts)> },
        Calling { #[pin] future: F },
    }
}

impl<S: Service<Request<Bytes>>, B: Body<Data = Bytes>> ResponseFuture<S, B> {
    pub(super) fn new(service: S, request: Request<B>, bytes: usize, within: Duration) -> Self {
        let (parts, body) = request.into_parts();
        let body = Collect::new(body, bytes, within);
        Self { state: State::Reading { body, waiting: Some((service, parts)) } }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<Bytes>, Response = Response<R>>,
    B: Body<Data = Bytes>,
    R: From<Bytes>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Calling { future } => return future.poll(context),
                StateProjection::Reading { body, waiting } => match ready!(body.poll(context)) {
                    Err(NoBody { status, json }) => {
                        return Poll::Ready(Ok(reply::json(status, Bytes::from_static(json))));
                    }
                    Ok(bytes) => {
                        let (mut service, parts) = waiting.take().expect("a body ends once");
                        service.call(Request::from_parts(parts, bytes))
                    }
                },
            };
            this.state.set(State::Calling { future: next });
        }
    }
}

impl<S: Service<Request<Bytes>>, B> std::fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = if matches!(self.state, State::Reading { .. }) { "reading" } else { "calling" };
        f.debug_struct("ResponseFuture").field("state", &state).finish()
    }
}
