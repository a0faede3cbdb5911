//! What stands between hyper's connection and the tower service.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::util::Oneshot;
use tower::{Service, ServiceExt as _};

use super::arrival::Arrival;
use super::drain::Drain;
use super::turns::Turns;
use crate::BoxError;
use crate::api::reply;
use crate::layers::admission::Arrived;

/// Passes the requests of one connection on, and notes whose turn it is.
#[derive(Debug)]
pub(super) struct Requests<S> {
    pub(super) service: S,
    pub(super) turns: Arc<Turns>,
    pub(super) arrival: Arc<Arrival>,
    pub(super) drain: Drain,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Requests<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Response<Either<B, Full<Bytes>>>;
    type Error = Infallible;
    type Future = Answer<S>;

    fn call(&self, mut request: Request<Incoming>) -> Answer<S> {
        self.turns.begin_answer();
        if let Some(arrived) = self.arrival.take() {
            request.extensions_mut().insert(Arrived(arrived));
        }
        Answer {
            future: self.service.clone().oneshot(request),
            turns: Arc::clone(&self.turns),
            drain: self.drain.clone(),
        }
    }
}

pin_project! {
    /// The answer to one request.
    #[derive(Debug)]
    pub(super) struct Answer<S> where S: Service<Request<Incoming>> {
        #[pin]
        future: Oneshot<S, Request<Incoming>>,
        turns: Arc<Turns>,
        drain: Drain,
    }
}

impl<S, B> Future for Answer<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<Either<B, Full<Bytes>>>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut answer = match ready!(this.future.poll(context)) {
            Ok(answer) => answer.map(Either::Left),
            Err(error) => {
                let error: BoxError = error.into();
                tracing::error!(error = %error, "a layer around the service failed");
                let body = Bytes::from_static(br#"{"detail":"Internal Server Error"}"#);
                reply::json(StatusCode::INTERNAL_SERVER_ERROR, body).map(Either::Right)
            }
        };
        this.turns.end_answer();
        if this.drain.has_begun() {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(answer))
    }
}
