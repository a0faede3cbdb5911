//! What does each layer of a replica add to a request?
//!
//! `cargo bench --bench layers`. A constant answer in memory, with no socket and no runtime, alone and behind each layer; a
//! layer's cost is the difference. `api` is all that a replica does for a row of three numbers and the linear model, from the
//! request to the answer.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::num::NonZero;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::body::Bytes;
use martello::model_core::engine::LinearRegression;
use martello::model_core::preprocessing::Encoder;
use martello::model_core::{Column, NativeModel, Signature};
use martello::serving::layers::access_log::AccessLogLayer;
use martello::serving::layers::admission::AdmissionLayer;
use martello::serving::layers::deadline::DeadlineLayer;
use martello::serving::layers::edge::EdgeLayer;
use martello::serving::layers::metrics::MetricsLayer;
use martello::serving::layers::orca::OrcaLayer;
use martello::serving::layers::read_body::ReadBodyLayer;
use martello::serving::prometheus_client::registry::Registry;
use martello::serving::{Api, Limits, ServedModel, Slot, Workers};
use tower::{Layer, Service};

const ROW: &str = r#"{"feature1":5.3,"feature2":2.1,"feature3":0.8}"#;
const ANSWER: &[u8] = br#"{"prediction":321.3070728214188}"#;

/// Answers a constant at once, whatever the body.
#[derive(Debug, Clone)]
struct Constant;

impl<B> Service<Request<B>> for Constant {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let mut answer = Response::new(Full::new(Bytes::from_static(ANSWER)));
        answer
            .headers_mut()
            .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        ready(Ok(answer))
    }
}

fn request() -> Request<Full<Bytes>> {
    let request = Request::post("/predict").header(header::CONTENT_TYPE, "application/json");
    request.body(Full::new(Bytes::from_static(ROW.as_bytes()))).expect("a valid request")
}

/// Returns the output of a future that is ready at once, as everything here is: no runtime stands between.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a request whose body is there waits for nothing"),
    }
}

fn measure<S>(c: &mut Criterion, name: &str, mut service: S)
where
    S: Service<Request<Full<Bytes>>>,
    S::Error: std::fmt::Debug,
{
    c.bench_function(&format!("serving/layer/{name}"), |bencher| {
        bencher.iter(|| now(service.call(request())).expect("an answer"));
    });
}

fn layers(c: &mut Criterion) {
    let limits = Limits::default();
    let workers = Workers::new(NonZero::<usize>::MIN);
    let admission = AdmissionLayer::new(limits.predictions_in_flight)
        .with_delays(limits.queue_delay, limits.burst_delay)
        .with_workers(workers);
    measure(c, "none", Constant);
    measure(c, "deadline", DeadlineLayer::new(Duration::from_secs(60)).layer(Constant));
    measure(c, "admission", admission.layer(Constant));
    measure(c, "read_body", ReadBodyLayer::new(&limits).layer(Constant));
    measure(c, "orca", OrcaLayer::new().layer(Constant));
    measure(c, "metrics", MetricsLayer::registered_in(&mut Registry::default()).layer(Constant));
    measure(c, "access_log_unread", AccessLogLayer::new().layer(Constant));
    measure(c, "edge_unread", EdgeLayer::new().layer(Constant));
    measure(c, "api", Api::new(Slot::holding(ServedModel::new("linear", model())), limits));
}

fn model() -> Arc<NativeModel> {
    let columns = ["feature1", "feature2", "feature3"].map(Column::double).to_vec();
    let signature =
        Signature::new(columns, vec![Column::double("target")]).expect("three columns with names");
    let encoder = Encoder::identity(&signature).expect("every column is a number");
    let engine = LinearRegression::new(vec![74.1, 29.5, 18.2], 0.01).expect("finite numbers");
    Arc::new(NativeModel::new(signature, encoder, engine).expect("three coefficients for three columns"))
}

criterion_group!(benches, layers);
criterion_main!(benches);
