//! A question to a model once its body is there: read the rows, ask, write the answer.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::ops::ControlFlow::{self, Break, Continue};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use martello_model_core::Predictions;
use pin_project_lite::pin_project;
use tower::util::Oneshot;
use tower::{Service, ServiceExt as _};

use super::route::Route;
use super::{media_type, reply};
use crate::dialect::{Dialect, Form, Refusal, Written, invocations, v2};
use crate::models::Wanted;
use crate::{BoxError, Error, ErrorKind, Limits, Models, PredictRequest, ServedModel};

/// The service behind every dialect, for a request whose body was read.
#[derive(Debug, Clone)]
pub(crate) struct Ask<P> {
    models: Models,
    predict: P,
    // Shared: the route is cloned for every request.
    limits: Arc<Limits>,
}

impl<P> Ask<P> {
    pub(super) fn new(models: Models, predict: P, limits: Limits) -> Self {
        Self { models, predict, limits: limits.into() }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Goes on with the model that is asked, or breaks with a refusal by the head alone, before a byte of the body is read.
    pub(super) fn head(
        &self,
        dialect: Dialect,
        wanted: &Wanted<'_>,
        headers: &HeaderMap,
    ) -> ControlFlow<Response<Full<Bytes>>, Arc<ServedModel>> {
        if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Break(reply::compressed());
        }
        let content_type = headers.get(header::CONTENT_TYPE);
        match dialect {
            Dialect::Predict if !media_type::is_json(content_type) => {
                let body = br#"{"detail":"Unsupported Media Type: send application/json"}"#;
                return Break(reply::json(StatusCode::UNSUPPORTED_MEDIA_TYPE, Bytes::from_static(body)));
            }
            Dialect::Invocations => {
                if let Err(refusal) = invocations::Format::from_content_type(content_type) {
                    return Break(refused(refusal));
                }
            }
            Dialect::Predict | Dialect::V1 | Dialect::V2 => {}
        }
        match self.models.find(wanted) {
            Ok(served) => Continue(served),
            Err(absent) => Break(reply::absent(wanted, absent)),
        }
    }
}

impl<P> Service<Request<Bytes>> for Ask<P>
where
    P: Service<PredictRequest, Response = Predictions> + Clone,
    P::Error: Into<BoxError>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = AskFuture<P>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The model is waited for once the rows are read, since a request that cannot be read does not need it.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> AskFuture<P> {
        let Some(Route::Ask(dialect, wanted)) = Route::of(request.uri().path()) else {
            return AskFuture::done(reply::not_found());
        };
        let served = match self.models.find(&wanted) {
            Ok(served) => served,
            Err(absent) => return AskFuture::done(reply::absent(&wanted, absent)),
        };
        match dialect.read(request.headers(), request.body(), &served, &self.limits) {
            Ok((batch, form)) => {
                let rows = batch.rows();
                let future =
                    self.predict.clone().oneshot(PredictRequest { served: Arc::clone(&served), batch });
                AskFuture { state: State::Asking { future, form, rows, served } }
            }
            Err(refusal) => {
                served.figures().invalid();
                AskFuture::done(reply::pure(refused(refusal)))
            }
        }
    }
}

fn refused(refusal: Refusal) -> Response<Full<Bytes>> {
    reply::json(refusal.status, refusal.body.into())
}

fn written(Written { body, json_length }: Written) -> Response<Full<Bytes>> {
    let mut answer = reply::json(StatusCode::OK, body.into());
    if let Some(length) = json_length {
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(v2::HEADER_LENGTH, length.into());
    }
    answer
}

pin_project! {
    /// The answer of a [`Ask`].
    pub(crate) struct AskFuture<P> where P: Service<PredictRequest> {
        #[pin]
        state: State<Oneshot<P, PredictRequest>>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Done { answer: Option<Response<Full<Bytes>>> },
        Asking { #[pin] future: F, form: Form, rows: usize, served: Arc<ServedModel> },
    }
}

impl<P: Service<PredictRequest>> AskFuture<P> {
    fn done(answer: Response<Full<Bytes>>) -> Self {
        Self { state: State::Done { answer: Some(answer) } }
    }
}

impl<P> Future for AskFuture<P>
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
            StateProjection::Asking { future, form, rows, served } => {
                let answer = match ready!(future.poll(context)) {
                    Ok(predictions) => form.write(&predictions, *rows).map_err(BoxError::from),
                    Err(error) => Err(error.into()),
                };
                match answer {
                    Ok(answer) => {
                        served.figures().predicted(*rows);
                        written(answer)
                    }
                    Err(error) => failed(error.as_ref(), served),
                }
            }
        };
        Poll::Ready(Ok(reply::pure(answer)))
    }
}

/// Answers for a model that has no answer, as the replaced system did, or for a layer that refused to ask it.
fn failed(
    error: &(dyn std::error::Error + Send + Sync + 'static),
    served: &ServedModel,
) -> Response<Full<Bytes>> {
    match error.downcast_ref::<Error>().map(Error::kind) {
        Some(ErrorKind::Overloaded) => reply::shed(),
        Some(ErrorKind::NoModel | ErrorKind::SignatureChanged) => reply::no_model(),
        _ => {
            served.figures().failed();
            let source = error.source().map(tracing::field::display);
            tracing::error!(error = %error, source, "a prediction failed");
            reply::prediction_error(error)
        }
    }
}

impl<P: Service<PredictRequest>> fmt::Debug for AskFuture<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if matches!(self.state, State::Done { .. }) { "done" } else { "asking" };
        f.debug_struct("AskFuture").field("state", &state).finish()
    }
}
