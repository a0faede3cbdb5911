//! KServe's V1 protocol, which is TensorFlow Serving's REST API: `POST /v1/models/{name}:predict`.
//!
//! # What it takes
//! `{"instances": [..]}`: a row per element, as an object with one member per column, as a list of cells in the order of the
//! signature, or as one cell for a model of one column. Or `{"inputs": {..}}`: an object with a list per column. Cells are
//! read as [`/predict`](super::predict) reads them; members that the model does not know are ignored; `signature_name` is
//! ignored, since a model has one.
//!
//! # What it answers
//! `{"predictions": [..]}`, one element per row, for both; or `{"error": ".."}` with every bad cell.

use std::sync::Arc;

use martello_model_core::{Batch, Signature};

use super::table::Table;
use super::{Refusal, document};
use crate::Limits;
use crate::json::Value;

/// Reads a body into the rows of a signature.
///
/// ```
/// use std::sync::Arc;
/// use martello_model_core::{Column, Signature};
/// use martello_serving::{Limits, dialect::v1};
///
/// let signature = Arc::new(Signature::new(vec![Column::double("x"), Column::double("y")], vec![])?);
/// let limits = Limits::default();
/// let batch = v1::parse(br#"{"instances": [{"x": 1, "y": 2}, {"y": 4, "x": 3}]}"#, &signature, &limits).unwrap();
/// assert_eq!(batch.numbers(), [1.0, 2.0, 3.0, 4.0]);
/// let same = v1::parse(br#"{"inputs": {"x": [1, 3], "y": [2, 4]}}"#, &signature, &limits).unwrap();
/// assert_eq!(same.numbers(), batch.numbers());
/// # Ok::<(), martello_model_core::Error>(())
/// ```
///
/// # Errors
/// The answer to give, with every bad cell.
pub fn parse(body: &[u8], signature: &Arc<Signature>, limits: &Limits) -> Result<Batch, Refusal> {
    let request = document::read(body)?;
    let table = Table::new(signature, limits);
    match document::members(request, ["instances", "inputs"]) {
        [Some(instances), None] => rows(table, instances, signature),
        [None, Some(inputs @ Value::Object(_))] => table.columns(inputs),
        [None, Some(inputs)] => rows(table, inputs, signature),
        _ => Err(Refusal::bad_request("send a JSON object with either \"instances\" or \"inputs\"")),
    }
}

/// Reads a list of rows, each an object or a list of all cells in the order of the signature.
pub(super) fn rows(table: Table<'_>, list: Value<'_>, signature: &Signature) -> Result<Batch, Refusal> {
    if !matches!(list, Value::Array(_)) {
        return Err(Refusal::bad_request(format!("the rows must be a list, got {}", document::kind(list))));
    }
    if matches!(list.elements().next(), Some(Value::Object(_))) {
        return table.records(list);
    }
    let columns: Vec<_> = (0..signature.inputs().len()).map(Some).collect();
    table.rows(list, &columns)
}
