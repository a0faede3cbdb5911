//! `POST /predict` once its body is there: read the rows, ask the model, write the answer.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::Full;
use martello_model_core::Predictions;
use pin_project_lite::pin_project;
use tower::util::Oneshot;
use tower::{Service, ServiceExt as _};

use super::{media_type, reply};
use crate::dialect::predict::{self, Form, Rows};
use crate::{BoxError, Error, ErrorKind, Limits, PredictRequest, Slot};

/// The service behind `POST /predict`, for a request whose body was read.
#[derive(Debug, Clone)]
pub(crate) struct PredictRoute<P> {
    slot: Slot,
    predict: P,
    // Shared: the route is cloned for every request.
    limits: Arc<Limits>,
}

impl<P> PredictRoute<P> {
    pub(super) fn new(slot: Slot, predict: P, limits: Limits) -> Self {
        Self { slot, predict, limits: limits.into() }
    }

    /// Refuses by the head alone, before a byte of the body is read.
    pub(super) fn refuse(&self, headers: &HeaderMap) -> Option<Response<Full<Bytes>>> {
        if !media_type::is_json(headers.get(header::CONTENT_TYPE)) {
            let body = br#"{"detail":"Unsupported Media Type: send application/json"}"#;
            return Some(reply::json(StatusCode::UNSUPPORTED_MEDIA_TYPE, Bytes::from_static(body)));
        }
        self.slot.is_empty().then(reply::no_model)
    }
}

impl<P> Service<Request<Bytes>> for PredictRoute<P>
where
    P: Service<PredictRequest, Response = Predictions> + Clone,
    P::Error: Into<BoxError>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = RouteFuture<P>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The model is waited for once the rows are read, since a request that cannot be read does not need it.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> RouteFuture<P> {
        let Some(served) = self.slot.load() else { return RouteFuture::done(reply::no_model()) };
        match predict::parse(request.body(), served.signature(), &self.limits) {
            Ok(Rows { batch, form }) => {
                let rows = batch.rows();
                let future = self.predict.clone().oneshot(PredictRequest { served, batch });
                RouteFuture { state: State::Asking { future, form, rows } }
            }
            Err(refusal) => RouteFuture::done(reply::pure(reply::json(refusal.status, refusal.body.into()))),
        }
    }
}

pin_project! {
    /// The answer of a [`PredictRoute`].
    pub(crate) struct RouteFuture<P> where P: Service<PredictRequest> {
        #[pin]
        state: State<Oneshot<P, PredictRequest>>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Done { answer: Option<Response<Full<Bytes>>> },
        Asking { #[pin] future: F, form: Form, rows: usize },
    }
}

impl<P: Service<PredictRequest>> RouteFuture<P> {
    fn done(answer: Response<Full<Bytes>>) -> Self {
        Self { state: State::Done { answer: Some(answer) } }
    }
}

impl<P> Future for RouteFuture<P>
where
    P: Service<PredictRequest, Response = Predictions>,
    P::Error: Into<BoxError>,
{
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match self.project().state.project() {
            StateProjection::Done { answer } => {
                answer.take().expect("a future is not polled after it is done")
            }
            StateProjection::Asking { future, form, rows } => {
                let written = match ready!(future.poll(context)) {
                    Ok(predictions) => predict::answer(&predictions, *form, *rows).map_err(BoxError::from),
                    Err(error) => Err(error.into()),
                };
                written.map_or_else(
                    |error| failed(error.as_ref()),
                    |json| reply::json(StatusCode::OK, json.into()),
                )
            }
        };
        Poll::Ready(Ok(reply::pure(answer)))
    }
}

/// Answers for a model that has no answer, as the replaced system did, or for a layer that refused to ask it.
fn failed(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Response<Full<Bytes>> {
    match error.downcast_ref::<Error>().map(Error::kind) {
        Some(ErrorKind::Overloaded) => reply::shed(),
        Some(ErrorKind::NoModel | ErrorKind::SignatureChanged) => reply::no_model(),
        _ => {
            let source = error.source().map(tracing::field::display);
            tracing::error!(error = %error, source, "a prediction failed");
            reply::prediction_error(error)
        }
    }
}

impl<P: Service<PredictRequest>> fmt::Debug for RouteFuture<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if matches!(self.state, State::Done { .. }) { "done" } else { "asking" };
        f.debug_struct("RouteFuture").field("state", &state).finish()
    }
}
