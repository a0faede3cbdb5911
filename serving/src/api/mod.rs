//! The HTTP face of a model: which path asks what.
//!
//! | path | method | answer |
//! | --- | --- | --- |
//! | `/predict` | POST | [a prediction](crate::dialect::predict) of the first model |
//! | `/invocations` | POST | the same [in MLflow's words](crate::dialect::invocations) |
//! | `/v2/models/{m}[/versions/{v}]/infer` | POST | a prediction by the [Open Inference Protocol](crate::dialect::v2) |
//! | `/v1/models/{m}[/versions/{v}\|/labels/{l}]:predict` | POST | a prediction [for KServe's V1 clients](crate::dialect::v1) |
//! | `/v2`, `/v2/health/live`, `/v2/health/ready`, `/v2/models`, `/v2/models/{m}[/versions/{v}][/ready]` | GET | state and metadata |
//! | `/v2/repository/index`, `/v2/repository/models/{m}/load`, `.../unload` | POST | the [repository](Repository) |
//! | `/v1/models`, `/v1/models/{m}[/versions/{v}][/metadata]` | GET | state and metadata |
//! | `/ping`, `/version` | GET | what MLflow's clients ask first |
//! | `/metrics` | GET | figures for Prometheus |
//! | `/health`, `/health/ready` | GET | whether this replica should get requests: [`Health`] |
//! | `/health/live` | GET | 200 for as long as the process can answer at all |
//! | `/` | GET | name, version, links |
//! | `/openapi.json` | GET | OpenAPI 3.1: every path, with the models' columns; 304 to who has it already |
//! | `/docs`, `/redoc` | GET | the same for people: Swagger UI with the feature `docs`, and a short page |
//!
//! `HEAD` is answered wherever `GET` is. Another method is 405 with `Allow`, another path 404, both in the shape of
//! its dialect.

mod ask;
mod docs;
mod future;
mod health;
mod index;
mod media_type;
mod openapi;
mod pages;
pub(crate) mod reply;
mod repository;
mod route;
mod translate;

use std::convert::Infallible;
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::Body;
use http_body_util::Full;
use martello_model_core::Predictions;
use tower::Service;

use self::ask::Ask;
pub use self::future::ApiFuture;
use self::future::Asked;
pub use self::health::Health;
use self::pages::{metrics, mlflow, v1, v2};
pub use self::repository::Repository;
use self::route::{Page, Route};
use self::translate::translate;
use crate::layers::admission::Admission;
use crate::layers::deadline::Deadline;
use crate::layers::read_body::ReadBody;
use crate::metrics::Metrics;
use crate::server::Drain;
use crate::{BoxError, Limits, Models, Predict, PredictRequest, Workers};

/// The HTTP service of one replica: a tower service for any request body, always ready, that never fails.
///
/// Health, description and pages answer whatever the predictions do: only `/predict` waits for the model, and only it is
/// shed. `P` asks the model: [`Predict`], or that with layers around it.
///
/// ```
/// use http::Request;
/// use http_body_util::Full;
/// use martello_serving::{Api, Limits, Slot, bytes::Bytes};
/// use tower::ServiceExt as _;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let api = Api::new(Slot::empty(), Limits::default());
/// let answer = api.oneshot(Request::get("/health").body(Full::<Bytes>::default()).unwrap()).await.unwrap();
/// assert_eq!(answer.status(), 503);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Api<P = Predict> {
    health: Arc<Health>,
    repository: Repository,
    metrics: Arc<Metrics>,
    openapi: Arc<openapi::Document>,
    predict: Deadline<Admission<ReadBody<Ask<P>>>>,
}

impl Api {
    /// Serves the model of a slot, or several [`Models`].
    #[must_use]
    pub fn new(models: impl Into<Models>, limits: Limits) -> Self {
        let models = models.into();
        let predict = Predict::new(models.first().clone(), &limits);
        let workers = predict.workers().clone();
        Self::with_predict(models, predict, limits).shedding_by(workers)
    }
}

impl<P> Api<P> {
    /// Serves models, asking them through a service of your own.
    #[must_use]
    pub fn with_predict(models: impl Into<Models>, predict: P, limits: Limits) -> Self {
        let models = models.into();
        let (bytes, within, in_flight) = (limits.body_bytes, limits.body_read, limits.predictions_in_flight);
        let (target, burst, answer) = (limits.queue_delay, limits.burst_delay, limits.answer);
        let ask = Ask::new(models.clone(), predict, limits);
        let admission = Admission::new(ReadBody::new(ask, bytes, within), in_flight);
        let predict = Deadline::new(admission.with_delays(target, burst), answer);
        let metrics = Arc::new(Metrics::new(&models));
        let health = Arc::new(Health::new(models, Drain::new()));
        Self { health, repository: Repository::default(), metrics, openapi: Arc::default(), predict }
    }

    /// Sheds by what waits for these workers: those of a [`Predict`] that is asked through a service of your own.
    #[must_use]
    pub fn shedding_by(mut self, workers: Workers) -> Self {
        self.predict = self.predict.map(|admission| admission.with_workers(workers));
        self
    }

    /// Answers not ready once that drain has begun.
    #[must_use]
    pub fn draining_with(mut self, drain: Drain) -> Self {
        self.health = Arc::new(Health::new(self.models().clone(), drain));
        self
    }

    /// Sets whether clients may load and unload models.
    #[must_use]
    pub fn repository(mut self, repository: Repository) -> Self {
        self.repository = repository;
        self
    }

    fn limits(&self) -> &Limits {
        self.predict.get_ref().get_ref().get_ref().limits()
    }

    fn models(&self) -> &Models {
        self.health.models()
    }

    /// Breaks with the answer to everything but a prediction; else goes on with the question that is asked.
    fn immediate<B>(&self, request: &Request<B>) -> ControlFlow<Response<Full<Bytes>>, Asked> {
        let Some(route) = Route::of(request.uri().path()) else { return Break(reply::not_found()) };
        Break(match (&route, request.method()) {
            (Route::Ask(dialect, wanted), &Method::POST) => {
                let ask = self.predict.get_ref().get_ref().get_ref();
                let refused = match ask.head(*dialect, wanted, request.headers()) {
                    Continue(served) => return Continue(Asked::new(served, *dialect)),
                    Break(refused) => refused,
                };
                self.metrics.answered_without_model(*dialect, refused.status());
                refused
            }
            (Route::Show(page), &Method::GET | &Method::HEAD) => self.show(page, request.headers()),
            (Route::Manage(act), &Method::POST) => v2::manage(self.models(), self.repository, act),
            _ => reply::method_not_allowed(route.allow()),
        })
    }

    fn show(&self, page: &Page<'_>, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let models = self.models();
        match page {
            Page::Health => self.health.answer(),
            Page::Live => health::live(),
            Page::Index => index::answer(models.first()),
            Page::OpenApi => self.openapi.answer(models, self.limits(), headers),
            Page::Docs(file) => docs::answer(*file, headers),
            Page::Metrics => metrics::answer(&self.metrics),
            Page::Ping => mlflow::ping(self.health.is_ready()),
            Page::Version => mlflow::version(),
            Page::V2Server => v2::server(),
            Page::V2Live => v2::state("live", true),
            Page::V2Ready => v2::state("ready", self.health.is_ready()),
            Page::V2Models => v2::models(models),
            Page::V2Model(wanted) => v2::model(models, wanted),
            Page::V2ModelReady(wanted) => v2::model_ready(models, wanted),
            Page::V1Models => v1::models(models),
            Page::V1Model(wanted) => v1::model(models, wanted),
            Page::V1Metadata(wanted) => v1::metadata(models, wanted),
        }
    }
}

impl<P, B> Service<Request<B>> for Api<P>
where
    P: Service<PredictRequest, Response = Predictions> + Clone,
    P::Error: Into<BoxError>,
    B: Body<Data = Bytes>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = ApiFuture<P, B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Ready in any case: `/health` must not wait for the model, which the route waits for by itself.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.immediate(&request) {
            Continue(asked) => ApiFuture::predict(self.predict.call(request), asked),
            Break(answer) => ApiFuture::immediate(translate(Route::dialect(request.uri().path()), answer)),
        }
    }
}
