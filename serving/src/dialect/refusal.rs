//! Why a request was not answered with predictions.

use http::StatusCode;

/// Why a body was not read, as the status and the JSON to answer with.
///
/// The JSON is in FastAPI's shape whatever the dialect: the API translates it where another shape is due, as it does with
/// the answers of the layers in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 400, 404, 415 or 422.
    pub status: StatusCode,
    /// The JSON of the answer: an object with `detail`.
    pub body: Vec<u8>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: &str) -> Self {
        let body = serde_json::json!({ "detail": message }).to_string().into_bytes();
        Self { status, body }
    }

    pub(crate) fn bad_request(message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message.as_ref())
    }
}
