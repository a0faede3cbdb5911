//! What the protocol tells of servers and models.

use std::borrow::Cow;

use martello_model_core::{Column, Outputs, Signature};
use serde_json::{Value, json};

use super::datatype::Datatype;
use crate::ServedModel;

/// The name of an output that the signature does not name.
const UNNAMED: &str = "prediction";

/// Returns what `GET /v2` tells.
pub(crate) fn server() -> Value {
    json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": ["model_repository", "binary_tensor_data"],
    })
}

/// Returns what `GET /v2/models/{name}` tells.
pub(crate) fn model(served: &ServedModel) -> Value {
    let signature = served.signature();
    let inputs: Vec<_> = inputs(signature)
        .map(|(column, datatype)| json!({ "name": column.name, "datatype": datatype, "shape": [-1] }))
        .collect();
    let output = json!({ "name": output_name(signature), "datatype": output_type(signature), "shape": [-1] });
    let versions: Vec<_> = served.version().map(|version| version.to_string()).into_iter().collect();
    json!({ "name": served.name(), "versions": versions, "platform": "martello", "inputs": inputs, "outputs": [output] })
}

/// Returns the columns with the datatypes in which they are offered.
pub(crate) fn inputs(signature: &Signature) -> impl Iterator<Item = (&Column, &'static str)> {
    signature.inputs().iter().map(|column| (column, Datatype::of(column)))
}

/// Returns the name of the one output.
pub(super) fn output_name(signature: &Signature) -> Cow<'_, str> {
    let name = match signature.outputs() {
        Outputs::Columns(columns) => columns.first().map(|column| column.name.as_str()),
        Outputs::Tensors(tensors) => tensors.first().and_then(|tensor| tensor.name.as_deref()),
        _ => None,
    };
    Cow::Borrowed(name.filter(|name| !name.is_empty()).unwrap_or(UNNAMED))
}

/// Returns the datatype in which predictions are answered: numbers are doubles, whatever the signature narrows them to.
fn output_type(signature: &Signature) -> &'static str {
    match signature.outputs() {
        Outputs::Columns(columns) => match columns.first().map(Datatype::of) {
            Some("INT32" | "INT64" | "BOOL") => "INT64",
            Some("BYTES") => "BYTES",
            _ => "FP64",
        },
        Outputs::Tensors(tensors) => match tensors.first().map(|tensor| tensor.dtype.as_str()) {
            Some(dtype) if dtype.starts_with("int") || dtype.starts_with("uint") => "INT64",
            Some("str" | "object" | "string") => "BYTES",
            _ => "FP64",
        },
        _ => "FP64",
    }
}
