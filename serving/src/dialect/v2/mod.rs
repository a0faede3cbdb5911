//! The Open Inference Protocol, version 2 (`POST /v2/models/{name}/infer`), with the binary tensor extension.
//!
//! # What it takes
//! One input tensor per column, of shape `[rows]` or `[rows, 1]`; or one tensor of shape `[rows, columns]` whose name is no
//! column, with the columns in the order of the signature. `data` is flat or nested. A value is first what the tensor's
//! datatype makes of it (0.1 as `FP32` is the nearest single), then what the column makes of that: it is kept as it is or
//! refused. `null` and NaN are missing values; optional columns may be left out.
//!
//! # Bytes
//! With the header `Inference-Header-Content-Length`, that many bytes of the body are JSON and the rest is the data of the
//! inputs that have a `binary_data_size`. Outputs are bytes if asked for, by `binary_data` of the output or
//! `binary_data_output` of the request, as Triton's own client does unless told otherwise.
//!
//! # What it answers
//! One output of shape `[rows]`: `FP64`, `INT64` or `BYTES`, named as the signature names it, or `prediction`. Errors are
//! `{"error": ".."}`.

mod answer;
mod datatype;
pub(crate) mod metadata;
mod tensor;

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use martello_model_core::{Batch, CellError, Signature};

use self::answer::read_outputs;
pub(crate) use self::answer::{Reply, answer};
use self::tensor::{Elements, Tensor, quoted};
use super::{Refusal, document};
use crate::json::Value;
use crate::{Limits, ServedModel};

/// The header that says where the JSON of a body ends and the bytes of its tensors begin.
pub const HEADER_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

/// Reads a request: its rows, and how the answer must look.
pub(crate) fn parse(
    headers: &HeaderMap,
    body: &[u8],
    served: &Arc<ServedModel>,
    limits: &Limits,
) -> Result<(Batch, Reply), Refusal> {
    let (json, mut binary) = split(headers, body)?;
    let [id, parameters, inputs, outputs] =
        document::members(document::read(json)?, ["id", "parameters", "inputs", "outputs"]);
    let Some(inputs @ Value::Array(_)) = inputs else {
        return Err(Refusal::bad_request("the request must have a list of \"inputs\""));
    };
    let signature = served.signature();
    // One more than can be right is enough to see that it is wrong.
    let width = signature.inputs().len();
    let inputs = inputs.elements().take(width + 1);
    let tensors: Vec<_> =
        inputs.map(|input| Tensor::read(input, &mut binary, width, limits)).collect::<Result<_, _>>()?;
    if !binary.is_empty() {
        return Err(Refusal::bad_request(format!("{} bytes of the body belong to no input", binary.len())));
    }
    let reply = read_outputs(served, id, parameters, outputs)?;
    let batch = match tensors.as_slice() {
        [] => return Err(Refusal::bad_request("the request has no inputs")),
        [only] if is_matrix(only, signature) => matrix(only, signature, limits)?,
        tensors => columns(tensors, signature, limits)?,
    };
    Ok((batch, reply))
}

fn split<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Refusal> {
    let Some(length) = headers.get(HEADER_LENGTH) else { return Ok((body, &[])) };
    let length = length.to_str().ok().and_then(|length| length.parse().ok());
    length.and_then(|length| body.split_at_checked(length)).ok_or_else(|| {
        Refusal::bad_request("Inference-Header-Content-Length must be a number of bytes within the body")
    })
}

/// Returns true for a tensor that holds all columns.
fn is_matrix(tensor: &Tensor<'_>, signature: &Signature) -> bool {
    tensor.columns == signature.inputs().len() && signature.position(&tensor.name).is_none()
}

fn matrix(tensor: &Tensor<'_>, signature: &Arc<Signature>, limits: &Limits) -> Result<Batch, Refusal> {
    if let (Elements::Numbers(numbers), true) = (&tensor.elements, signature.text_columns().is_empty()) {
        let batch = Batch::from_numbers(signature, numbers.clone());
        return batch.map_err(|error| refused(error.cell_errors(), limits));
    }
    rows(signature, tensor.rows, limits, |row, column| {
        Some(tensor.elements.cell(row * tensor.columns + column))
    })
}

fn columns(tensors: &[Tensor<'_>], signature: &Arc<Signature>, limits: &Limits) -> Result<Batch, Refusal> {
    let mut places: Vec<Option<&Tensor<'_>>> = vec![None; signature.inputs().len()];
    for tensor in tensors {
        let name = &tensor.name;
        let Some(position) = signature.position(name) else {
            let name = quoted(name);
            let message = format!("unexpected inference input {name}: the model has no such column");
            return Err(Refusal::bad_request(message));
        };
        if tensor.columns != 1 || tensor.rows != tensors[0].rows {
            let message = format!("input {name:?} must have one column, and as many rows as the others");
            return Err(Refusal::bad_request(message));
        }
        if places[position].replace(tensor).is_some() {
            return Err(Refusal::bad_request(format!("input {name:?} is there twice")));
        }
    }
    let absent =
        signature.inputs().iter().zip(&places).filter(|(column, tensor)| column.required && tensor.is_none());
    let absent: Vec<_> = absent.map(|(column, _)| column.name.as_str()).collect();
    if !absent.is_empty() {
        return Err(Refusal::bad_request(format!("the inputs {absent:?} are missing")));
    }
    rows(signature, tensors[0].rows, limits, |row, column| {
        places[column].map(|tensor| tensor.elements.cell(row))
    })
}

fn rows<'a>(
    signature: &Arc<Signature>,
    count: usize,
    limits: &Limits,
    cell: impl Fn(usize, usize) -> Option<martello_model_core::Cell<'a>>,
) -> Result<Batch, Refusal> {
    let mut batch = Batch::builder(signature);
    let mut errors = Vec::new();
    for row in 0..count {
        let mut writer = batch.row();
        for column in 0..signature.inputs().len() {
            if let Some(cell) = cell(row, column) {
                writer.set(column, cell);
            }
        }
        errors.extend(writer.finish().err().unwrap_or_default());
        if errors.len() >= limits.listed_errors {
            break;
        }
    }
    if errors.is_empty() { Ok(batch.build()) } else { Err(refused(&errors, limits)) }
}

fn refused(errors: &[CellError], limits: &Limits) -> Refusal {
    let listed: Vec<_> = errors.iter().take(limits.listed_errors).map(ToString::to_string).collect();
    Refusal::bad_request(listed.join("; "))
}
