//! What the targets share: a replica in memory, and what must be true of its answers; [`wire`] is the balancer's part.

#![forbid(unsafe_code)]

pub mod wire;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use martello_model_core::{Batch, Column, DataType, Error, Model, Predictions, Signature};
use martello_serving::{Api, Limits, ServedModel, Slot};
use serde_json::Value;
use serde_json::value::RawValue;
use tower::Service as _;

/// Rows that a request may have: few, so that every batch is predicted at once, and the limit is met by short inputs.
const ROWS: usize = 50;

/// A column of every kind, some of them optional.
pub fn signature() -> &'static Arc<Signature> {
    static SIGNATURE: LazyLock<Arc<Signature>> = LazyLock::new(|| {
        let columns = vec![
            Column::double("a"),
            Column::double("b").optional(),
            Column::new("n", DataType::Integer).optional(),
            Column::new("l", DataType::Long).optional(),
            Column::new("f", DataType::Float).optional(),
            Column::new("t", DataType::Boolean).optional(),
            Column::string("s").optional(),
        ];
        Arc::new(Signature::new(columns, vec![]).expect("seven names"))
    });
    &SIGNATURE
}

/// The limits of the replica.
pub fn limits() -> Limits {
    Limits { rows: ROWS, ..Limits::default() }
}

/// Answers a number for each row, whatever its cells.
#[derive(Debug)]
struct Counts;

impl Model for Counts {
    fn signature(&self) -> &Arc<Signature> {
        signature()
    }

    fn predict(&self, batch: &Batch) -> Result<Predictions, Error> {
        assert!(batch.rows() <= ROWS, "more rows than a request may have: {}", batch.rows());
        let columns = signature().inputs().len();
        assert_eq!(batch.numbers().len() + batch.texts().len(), batch.rows() * columns, "a row is not whole");
        Ok(Predictions::Numbers((0..batch.rows()).map(|row| row as f64 + 0.5).collect()))
    }
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Asks the replica; the answer must be there at once.
pub fn post(path: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Answer {
    static API: LazyLock<Api> = LazyLock::new(|| {
        Api::new(Slot::holding(ServedModel::new("m", Arc::new(Counts)).with_version(1)), limits())
    });
    let mut request =
        Request::post(path).body(Full::new(Bytes::copy_from_slice(body))).expect("a valid path");
    for (name, value) in headers {
        let value = HeaderValue::try_from(*value).expect("a valid value");
        request.headers_mut().insert(*name, value);
    }
    let Ok(answer) = now(API.clone().call(request));
    let (parts, body) = answer.into_parts();
    let body = now(body.collect()).expect("a body in memory").to_bytes();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// Reads the JSON of an answer that is a prediction.
pub fn read(answer: &Answer) -> Value {
    let json = answer
        .headers
        .get("inference-header-content-length")
        .map_or(answer.body.len(), |length| length.to_str().expect("digits").parse().expect("a number"));
    serde_json::from_slice(&answer.body[..json]).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

/// An error must have one of the statuses and a message under that name, and not be much longer than what it is about.
///
/// Its parts are kept as they were written: a caller's own number, longer than any machine's, may be among them.
pub fn check_error(answer: &Answer, refusals: &[u16], name: &str, asked: usize) {
    assert!(refusals.contains(&answer.status.as_u16()), "{answer:?}");
    let members: BTreeMap<String, Box<RawValue>> =
        serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"));
    let message = members.get(name).unwrap_or_else(|| panic!("no message: {answer:?}"));
    assert!(!["\"\"", "[]", "null"].contains(&message.get()), "{answer:?}");
    if name == "message" {
        assert_eq!(members["error_code"].get(), "\"BAD_REQUEST\"");
    }
    // One word about every cell of every row that may be sent, and twice what was sent.
    let most = 400 * ROWS * signature().inputs().len() + 2 * asked + limits().echoed_input;
    assert!(answer.body.len() <= most, "{asked} bytes asked, {} answered", answer.body.len());
}

/// A list of predictions must be the model's own.
pub fn check_predictions(predictions: &Value) -> usize {
    let predictions = predictions.as_array().expect("a list of predictions");
    for (row, prediction) in predictions.iter().enumerate() {
        assert_eq!(prediction.as_f64(), Some(row as f64 + 0.5));
    }
    predictions.len()
}

/// Returns the output of a future that is ready at once.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("an answer that waits, though everything is there"),
    }
}
