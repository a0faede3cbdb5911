//! `POST /invocations`, as MLflow's scoring server (3.17) understands it for a model with named columns.
//!
//! # What it takes
//! A JSON object with exactly one of `dataframe_split`, `dataframe_records`, `instances` and `inputs`; other members, and
//! `params`, are ignored. `instances` and `inputs` are a list of objects, or an object with a list or one value per column.
//! Or CSV with a header line. Columns come in any order, unknown ones are ignored, an index is ignored. Cells are read as
//! [`/predict`](super::predict) reads them, so numeric text and booleans are numbers here too.
//!
//! # What it answers
//! `{"predictions": [..]}`; 400 `{"error_code": "BAD_REQUEST", "message": ".."}` with MLflow's messages where clients test
//! for them; 415 for another content type.
//!
//! # Where it differs from MLflow, on purpose
//! * No stack traces in answers.
//! * A value is taken as it is or refused: MLflow turns 40.5 into 40 in a column of integers, wraps 2³¹, takes `"abc"` for
//!   true, and shifts the columns of a CSV line that is one cell too long.
//! * A missing content type is 415 and deep nesting 400, where MLflow answers 500; an answer never holds bare `NaN`.
//! * A number for a text column is refused rather than spelt out.

mod csv;

use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use martello_model_core::{Batch, Signature};

use super::predict::lax;
use super::table::Table;
use super::{Refusal, document};
use crate::Limits;
use crate::json::{Form, Value};

const EXACTLY_ONE: &str = "The input must be a JSON dictionary with exactly one of the input fields \
    {'dataframe_records', 'dataframe_split', 'inputs', 'instances'}";

/// The content types of this dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `application/json`.
    Json,
    /// `text/csv`.
    Csv,
}

impl Format {
    /// Reads a content type; the one parameter it may have is `charset=utf-8`.
    ///
    /// # Errors
    /// 415, with the reason.
    pub fn from_content_type(content_type: Option<&HeaderValue>) -> Result<Self, Refusal> {
        let refuse = |message: &str| Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
        let text = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
        let text = text.unwrap_or_default();
        let mut parts = text.split(';').map(str::trim);
        let format = match parts.next() {
            Some("application/json") => Self::Json,
            Some("text/csv") => Self::Csv,
            _ => {
                let types = "['text/csv', 'application/json']";
                return Err(refuse(&format!(
                    "This predictor only supports the following content types: Types: {types}. Got '{text}'."
                )));
            }
        };
        for parameter in parts {
            match parameter.split_once('=').unwrap_or((parameter, "")) {
                ("charset", "utf-8") => {}
                ("charset", _) => return Err(refuse("The scoring server only supports UTF-8")),
                (name, _) => return Err(refuse(&format!("Unrecognized content type parameters: {name}."))),
            }
        }
        Ok(format)
    }
}

/// Reads a body into the rows of a signature.
///
/// ```
/// use std::sync::Arc;
/// use martello_model_core::{Column, Signature};
/// use martello_serving::{Limits, dialect::invocations::{self, Format}};
///
/// let signature = Arc::new(Signature::new(vec![Column::double("x"), Column::double("y")], vec![])?);
/// let limits = Limits::default();
/// let split = br#"{"dataframe_split": {"columns": ["y", "x"], "data": [[2, 1], [4, 3]]}}"#;
/// let batch = invocations::parse(Format::Json, split, &signature, &limits).unwrap();
/// assert_eq!(batch.numbers(), [1.0, 2.0, 3.0, 4.0]);
/// let same = invocations::parse(Format::Csv, b"y,x\n2,1\n4,3\n", &signature, &limits).unwrap();
/// assert_eq!(same.numbers(), batch.numbers());
/// # Ok::<(), martello_model_core::Error>(())
/// ```
///
/// # Errors
/// The answer to give, with every bad cell.
pub fn parse(
    format: Format,
    body: &[u8],
    signature: &Arc<Signature>,
    limits: &Limits,
) -> Result<Batch, Refusal> {
    let batch = match format {
        Format::Json => json(body, signature, limits),
        Format::Csv => csv::parse(body, signature, limits),
    }?;
    if batch.rows() == 0 {
        return Err(Refusal::bad_request(
            "Encountered an unexpected error while evaluating the model: the input has no rows",
        ));
    }
    Ok(batch)
}

fn json(body: &[u8], signature: &Arc<Signature>, limits: &Limits) -> Result<Batch, Refusal> {
    let request = document::read(body)?;
    match request {
        Value::Object(_) => {}
        Value::Array(_) => return Err(invalid(format!("{EXACTLY_ONE}. Received a list."))),
        other => {
            return Err(invalid(format!("{EXACTLY_ONE}. Received unexpected input type {}.", class(other))));
        }
    }
    let table = Table::new(signature, limits);
    match document::members(request, ["dataframe_split", "dataframe_records", "instances", "inputs"]) {
        [Some(split), None, None, None] => self::split(table, split, signature),
        [None, Some(records), None, None] => self::records(table, records, signature),
        [None, None, Some(data), None] | [None, None, None, Some(data)] => match data {
            Value::Object(_) => table.columns(data),
            Value::Array(_) if matches!(data.elements().next(), Some(Value::Object(_))) => {
                table.records(data)
            }
            _ => Err(missing(signature)),
        },
        _ => Err(Refusal::bad_request(format!("{EXACTLY_ONE}. Received another number of them."))),
    }
}

fn records(table: Table<'_>, records: Value<'_>, signature: &Signature) -> Result<Batch, Refusal> {
    let words = "Dataframe records format must be a list of records. Got";
    match records {
        Value::Object(_) => Err(invalid(format!("{words} dictionary."))),
        // Without an object in it there is no column either.
        Value::Array(_) if !matches!(records.elements().next(), Some(Value::Object(_))) => {
            Err(missing(signature))
        }
        Value::Array(_) => table.records(records),
        other => Err(invalid(format!("{words} type {}.", class(other)))),
    }
}

fn split(table: Table<'_>, split: Value<'_>, signature: &Signature) -> Result<Batch, Refusal> {
    match split {
        Value::Object(_) => {}
        Value::Array(_) => return Err(invalid("Dataframe split format must be a dictionary. Got list.")),
        other => {
            return Err(invalid(format!(
                "Dataframe split format must be a dictionary. Got type {}.",
                class(other)
            )));
        }
    }
    let [columns, data] = document::members(split, ["columns", "data"]);
    let unknown =
        split.members().find(|(name, _)| !["columns", "data", "index"].contains(&name.text.as_ref()));
    let (Some(data), None) = (data, unknown) else {
        let message =
            "Dataframe split format must have 'data' field and optionally 'columns' and 'index' fields.";
        return Err(invalid(message));
    };
    // One name more than there may be is enough to see that there are too many.
    let names = columns.iter().flat_map(|names| names.elements()).take(table.most_cells() + 1);
    let places: Vec<Option<usize>> = names.map(|name| place(name, signature)).collect();
    let required = signature.inputs().iter().enumerate().filter(|(_, column)| column.required);
    if required.into_iter().any(|(position, _)| !places.contains(&Some(position))) {
        return Err(missing(signature));
    }
    if !matches!(data, Value::Array(_)) {
        return Err(not_a_frame(&format!("'data' is {}", document::kind(data))));
    }
    let width = places.len();
    // What is wrong with the first row is wrong with the frame; a later one is told by its number.
    if let Some(Value::Array(_)) = data.elements().next() {
        let cells = data.elements().next().map_or(0, |row| row.elements().count());
        if cells != width {
            return Err(not_a_frame(&format!("{width} columns passed, passed data had {cells} columns")));
        }
    }
    table.rows(data, &places)
}

/// Returns which column a name in `columns` stands for.
fn place(name: Value<'_>, signature: &Signature) -> Option<usize> {
    let Value::String(raw) = name else { return None };
    lax::unicode(raw).ok().and_then(|name| signature.position(&name))
}

fn invalid(message: impl AsRef<str>) -> Refusal {
    Refusal::bad_request(format!("Invalid input. {}", message.as_ref()))
}

fn not_a_frame(reason: &str) -> Refusal {
    let what = "Provided dataframe_split field is not a valid dataframe representation in 'split' format.";
    invalid(format!("{what} Error: '{reason}'"))
}

fn missing(signature: &Signature) -> Refusal {
    let required = signature.inputs().iter().filter(|column| column.required);
    let names: Vec<_> = required.map(|column| column.name.as_str()).collect();
    Refusal::bad_request(format!(
        "Failed to enforce schema of data. Error: Model is missing inputs among {names:?}; name the columns"
    ))
}

/// Returns Python's word for the type of a value.
fn class(value: Value<'_>) -> &'static str {
    match value {
        Value::Null => "<class 'NoneType'>",
        Value::Bool(_) => "<class 'bool'>",
        Value::Number { form: Form::Integer, .. } => "<class 'int'>",
        Value::Number { .. } | Value::NonFinite(_) => "<class 'float'>",
        Value::String(_) => "<class 'str'>",
        Value::Array(_) => "<class 'list'>",
        Value::Object(_) => "<class 'dict'>",
    }
}
