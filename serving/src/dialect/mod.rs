//! The dialects in which a prediction can be asked for: each reads a body into a batch and writes the answer.
//!
//! They meet in the middle: whatever the dialect, rows become a [`Batch`] under the same rules, the same service asks the
//! model, and a prediction is written with the same digits. So the same rows get the same answers, to the bit.

mod document;
pub mod invocations;
pub mod predict;
mod refusal;
mod table;
pub mod v1;
pub mod v2;
mod written;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use martello_model_core::{Batch, Predictions};
use serde_json::{Value, json};

pub use self::refusal::Refusal;
use crate::{Error, Limits, ServedModel};

/// Which dialect a request speaks; its path says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Predict,
    Invocations,
    V1,
    V2,
}

/// How the answer to a request must be written.
#[derive(Debug)]
pub(crate) enum Form {
    Predict(predict::Form),
    Predictions,
    V2(Box<v2::Reply>),
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) body: Vec<u8>,
    /// How much of it is JSON, if bytes of tensors follow.
    pub(crate) json_length: Option<usize>,
}

impl Written {
    fn json(body: Vec<u8>) -> Self {
        Self { body, json_length: None }
    }
}

impl Dialect {
    /// Reads a body into rows for a model.
    pub(crate) fn read(
        self,
        headers: &HeaderMap,
        body: &[u8],
        served: &Arc<ServedModel>,
        limits: &Limits,
    ) -> Result<(Batch, Form), Refusal> {
        let signature = served.signature();
        match self {
            Self::Predict => {
                predict::parse(body, signature, limits).map(|rows| (rows.batch, Form::Predict(rows.form)))
            }
            Self::Invocations => {
                let format = invocations::Format::from_content_type(headers.get(header::CONTENT_TYPE))?;
                invocations::parse(format, body, signature, limits).map(|batch| (batch, Form::Predictions))
            }
            Self::V1 => v1::parse(body, signature, limits).map(|batch| (batch, Form::Predictions)),
            Self::V2 => v2::parse(headers, body, served, limits)
                .map(|(batch, reply)| (batch, Form::V2(Box::new(reply)))),
        }
    }

    /// Says an error in the words of the dialect; `detail` is what FastAPI's shape has.
    pub(crate) fn error(self, status: StatusCode, detail: &Value) -> Bytes {
        let message = detail.as_str().map_or_else(|| detail.to_string(), str::to_owned);
        let body = match self {
            Self::Predict => json!({ "detail": detail }),
            Self::Invocations => json!({ "error_code": error_code(status), "message": message }),
            Self::V1 | Self::V2 => json!({ "error": message }),
        };
        body.to_string().into()
    }
}

impl Form {
    /// Writes an answer.
    pub(crate) fn write(&self, predictions: &Predictions, rows: usize) -> Result<Written, Error> {
        match self {
            Self::Predict(form) => predict::answer(predictions, *form, rows).map(Written::json),
            Self::Predictions => written::predictions(predictions, rows).map(Written::json),
            Self::V2(reply) => v2::answer(predictions, reply, rows),
        }
    }
}

/// MLflow's name for a status.
fn error_code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        404 => "RESOURCE_DOES_NOT_EXIST",
        503 => "TEMPORARILY_UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500..=599 => "INTERNAL_ERROR",
        _ => "BAD_REQUEST",
    }
}
