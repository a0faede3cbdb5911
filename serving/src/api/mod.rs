//! The HTTP face of a model: which path asks what.
//!
//! | path | method | answer |
//! | --- | --- | --- |
//! | `/predict` | POST | [the dialect](crate::dialect::predict) |
//! | `/health` | GET | [`Health`] |
//! | `/` | GET | name, version, links |
//! | `/openapi.json` | GET | OpenAPI 3.1 with the model's columns |
//! | `/docs`, `/redoc` | GET | the same for people |
//!
//! `HEAD` is answered wherever `GET` is. Another method is 405 with `Allow`, another path 404, both in FastAPI's shape.

mod docs;
mod future;
mod health;
mod index;
mod media_type;
pub(crate) mod openapi;
mod predict_route;
pub(crate) mod reply;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::Full;
use martello_model_core::Predictions;
use tower::Service;

pub use self::future::ApiFuture;
pub use self::health::Health;
use self::predict_route::PredictRoute;
use crate::layers::admission::Admission;
use crate::layers::read_body::ReadBody;
use crate::server::Drain;
use crate::{BoxError, Limits, Predict, PredictRequest, Slot};

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
    predict: Admission<ReadBody<PredictRoute<P>>>,
}

impl Api {
    /// Serves the model of a slot.
    #[must_use]
    pub fn new(slot: Slot, limits: Limits) -> Self {
        let predict = Predict::new(slot.clone(), &limits);
        Self::with_predict(slot, predict, limits)
    }
}

impl<P> Api<P> {
    /// Serves the model of a slot, asking it through a service of your own.
    #[must_use]
    pub fn with_predict(slot: Slot, predict: P, limits: Limits) -> Self {
        let (bytes, within, in_flight) = (limits.body_bytes, limits.body_read, limits.predictions_in_flight);
        let route = PredictRoute::new(slot.clone(), predict, limits);
        let predict = Admission::new(ReadBody::new(route, bytes, within), in_flight);
        Self { health: Arc::new(Health::new(slot, Drain::new())), predict }
    }

    /// Answers not ready once that drain has begun.
    #[must_use]
    pub fn draining_with(mut self, drain: Drain) -> Self {
        self.health = Arc::new(Health::new(self.slot().clone(), drain));
        self
    }

    fn slot(&self) -> &Slot {
        self.health.slot()
    }

    /// Answers everything but a prediction; `None` if the request is for the model.
    fn immediate<B>(&self, request: &Request<B>) -> Option<Response<Full<Bytes>>> {
        let path = request.uri().path();
        if path == "/predict" {
            return match *request.method() {
                Method::POST => self.predict.get_ref().get_ref().refuse(request.headers()),
                _ => Some(reply::method_not_allowed("POST")),
            };
        }
        let page: fn(&Self) -> Response<Full<Bytes>> = match path {
            "/health" => |api| api.health.answer(),
            "/" => |api| index::answer(api.slot()),
            "/openapi.json" => |api| openapi::answer(api.slot()),
            "/docs" | "/redoc" => |_| docs::answer(),
            _ => return Some(reply::not_found()),
        };
        Some(match *request.method() {
            Method::GET | Method::HEAD => page(self),
            _ => reply::method_not_allowed("GET, HEAD"),
        })
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
            Some(answer) => ApiFuture::immediate(answer),
            None => ApiFuture::predict(self.predict.call(request)),
        }
    }
}
