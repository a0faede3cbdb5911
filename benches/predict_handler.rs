//! What does `/predict` add to the model?
//!
//! `cargo bench --bench predict_handler`. A row of three numbers and the linear model of the main job: the model alone, the
//! reading of a body, and a whole request in memory from `Request` to `Response`, with no socket. The reading is also shown
//! for a list, for a body that only the exact reading takes (numbers as text) and for one that is refused.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use martello::model_core::engine::LinearRegression;
use martello::model_core::preprocessing::Encoder;
use martello::model_core::{Batch, Column, Model, NativeModel, Signature};
use martello::serving::dialect::predict;
use martello::serving::{Api, Limits, ServedModel, Slot};
use tower::Service;

const ROW: &str = r#"{"feature1":5.3,"feature2":2.1,"feature3":0.8}"#;
const TEXT_ROW: &str = r#"{"feature1":"5.3","feature2":"2.1","feature3":"0.8"}"#;
const BAD_ROW: &str = r#"{"feature1":"abc","feature2":2.1}"#;
const LIST_ROWS: usize = 100;

fn model() -> Arc<dyn Model> {
    let columns = ["feature1", "feature2", "feature3"].map(Column::double).to_vec();
    let signature =
        Signature::new(columns, vec![Column::double("target")]).expect("three columns with names");
    let encoder = Encoder::identity(&signature).expect("every column is a number");
    let engine = LinearRegression::new(vec![74.1, 29.5, 18.2], 0.01).expect("finite numbers");
    Arc::new(NativeModel::new(signature, encoder, engine).expect("three coefficients for three columns"))
}

/// Returns the output of a future that is ready at once, as everything here is: no runtime stands between.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a request whose body is there waits for nothing"),
    }
}

fn model_alone(c: &mut Criterion) {
    let model = model();
    let batch = Batch::from_numbers(model.signature(), vec![5.3, 2.1, 0.8]).expect("a row of three numbers");
    let mut group = c.benchmark_group("serving/model");
    group.throughput(Throughput::Elements(1));
    group.bench_function("3", |bencher| bencher.iter(|| model.predict(&batch)));
    group.finish();
}

fn parse(c: &mut Criterion) {
    let (model, limits) = (model(), Limits::default());
    let list = format!("[{}]", vec![ROW; LIST_ROWS].join(","));
    let mut group = c.benchmark_group("serving/parse");
    for (name, body, rows) in
        [("3", ROW, 1), ("3-text", TEXT_ROW, 1), ("3x100", &list, LIST_ROWS), ("3-refused", BAD_ROW, 0)]
    {
        let read = predict::parse(body.as_bytes(), model.signature(), &limits);
        assert_eq!(read.map_or(0, |read| read.batch.rows()), rows);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| predict::parse(body.as_bytes(), model.signature(), &limits));
        });
    }
    group.finish();
}

fn handler(c: &mut Criterion) {
    let mut api = Api::new(Slot::holding(ServedModel::new("linear", model())), Limits::default());
    let mut group = c.benchmark_group("serving/handler");
    group.throughput(Throughput::Elements(1));
    for (name, body, status) in
        [("3", ROW, StatusCode::OK), ("3-refused", BAD_ROW, StatusCode::UNPROCESSABLE_ENTITY)]
    {
        let mut ask = || {
            let request = Request::post("/predict").header(header::CONTENT_TYPE, "application/json");
            let body = Full::new(Bytes::from_static(body.as_bytes()));
            now(api.call(request.body(body).expect("a valid request")))
        };
        assert_eq!(ask().map(|answer| answer.status()), Ok(status));
        group.bench_function(name, |bencher| bencher.iter(&mut ask));
    }
    group.finish();
}

criterion_group!(benches, model_alone, parse, handler);
criterion_main!(benches);
