//! How an answer must look, and the answer.

use std::sync::Arc;

use martello_model_core::Predictions;

use super::metadata;
use super::tensor::{quoted, text};
use crate::dialect::{Refusal, Written, document, written};
use crate::json::Value;
use crate::json::echo::write_text;
use crate::{Error, ServedModel};

/// What the caller wants to get back.
#[derive(Debug)]
pub(crate) struct Reply {
    served: Arc<ServedModel>,
    id: Option<String>,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Binary,
}

/// Reads what the caller wants to get back.
pub(super) fn read_outputs(
    served: &Arc<ServedModel>,
    id: Option<Value<'_>>,
    parameters: Option<Value<'_>>,
    outputs: Option<Value<'_>>,
) -> Result<Reply, Refusal> {
    let all = parameters.and_then(|value| document::members(value, ["binary_data_output"])[0]);
    let mut binary = all.unwrap_or(Value::Bool(false));
    let known = metadata::output_name(served.signature());
    for output in outputs.iter().flat_map(|outputs| outputs.elements()) {
        let [name, parameters] = document::members(output, ["name", "parameters"]);
        let name = name.and_then(text).unwrap_or_default();
        if name != known {
            let (name, model) = (quoted(&name), served.name());
            let message = format!("unexpected inference output {name} for model {model:?}: it has {known:?}");
            return Err(Refusal::bad_request(message));
        }
        let [own, classes] =
            parameters.map_or([None; 2], |value| document::members(value, ["binary_data", "classification"]));
        if classes.is_some() {
            return Err(Refusal::bad_request(
                "the classification extension is not supported: ask for the output itself",
            ));
        }
        binary = own.unwrap_or(binary);
    }
    let form = if binary == Value::Bool(true) { Form::Binary } else { Form::Json };
    let id = id.and_then(text).map(std::borrow::Cow::into_owned);
    Ok(Reply { served: Arc::clone(served), id, form })
}

/// Writes the answer.
///
/// # Errors
/// As the answer of `/predict`.
pub(crate) fn answer(predictions: &Predictions, reply: &Reply, rows: usize) -> Result<Written, Error> {
    written::check_rows(predictions, rows)?;
    let mut out = br#"{"model_name":"#.to_vec();
    write_text(reply.served.name(), &mut out);
    if let Some(version) = reply.served.version() {
        push(&mut out, &format!(r#","model_version":"{version}""#));
    }
    if let Some(id) = &reply.id {
        push(&mut out, r#","id":"#);
        write_text(id, &mut out);
    }
    push(&mut out, r#","outputs":[{"name":"#);
    write_text(&metadata::output_name(reply.served.signature()), &mut out);
    let datatype = datatype(predictions);
    push(&mut out, &format!(r#","shape":[{rows}],"datatype":"{datatype}""#));
    if reply.form == Form::Json {
        push(&mut out, r#","data":"#);
        written::list(predictions, &mut out)?;
        push(&mut out, "}]}");
        return Ok(Written::json(out));
    }
    let data = bytes(predictions)?;
    push(&mut out, &format!(r#","parameters":{{"binary_data_size":{}}}}}]}}"#, data.len()));
    let json_length = out.len();
    out.extend_from_slice(&data);
    Ok(Written { body: out, json_length: Some(json_length) })
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn datatype(predictions: &Predictions) -> &'static str {
    match predictions {
        Predictions::Integers(_) => "INT64",
        Predictions::Labels(_) => "BYTES",
        _ => "FP64",
    }
}

/// Returns the elements as little-endian bytes, texts with their lengths in front.
fn bytes(predictions: &Predictions) -> Result<Vec<u8>, Error> {
    for (row, prediction) in predictions.iter().enumerate() {
        written::check_finite(prediction, row)?;
    }
    Ok(match predictions {
        Predictions::Numbers(numbers) => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        Predictions::Integers(numbers) => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        Predictions::Labels(labels) => {
            let mut out = Vec::new();
            for label in labels {
                let length = u32::try_from(label.len()).map_err(|_| too_long())?;
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(label.as_bytes());
            }
            out
        }
        _ => {
            return Err(Error::new(
                crate::ErrorKind::Prediction,
                "the protocol has no datatype for these predictions",
            ));
        }
    })
}

fn too_long() -> Error {
    Error::new(crate::ErrorKind::Prediction, "a label is longer than 4 GiB")
}
