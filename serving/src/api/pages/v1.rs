//! What KServe's V1 protocol and TensorFlow Serving show besides predictions.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use martello_model_core::{Column, DataType};
use serde_json::{Map, Value, json};

use crate::api::reply;
use crate::models::Wanted;
use crate::{ListedModel, Models, ServedModel};

pub(in crate::api) fn models(models: &Models) -> Response<Full<Bytes>> {
    ok(&json!({ "models": models.iter().filter_map(ListedModel::name).collect::<Vec<_>>() }))
}

/// Answers both `name` and `ready` of KServe and the list of TensorFlow Serving.
pub(in crate::api) fn model(models: &Models, wanted: &Wanted<'_>) -> Response<Full<Bytes>> {
    match models.find(wanted) {
        Ok(served) => ok(&json!({
            "name": served.name(),
            "ready": true,
            "model_version_status": [{
                "version": version(&served),
                "state": "AVAILABLE",
                "status": { "error_code": "OK", "error_message": "" },
            }],
        })),
        Err(absent) => reply::absent(wanted, absent),
    }
}

pub(in crate::api) fn metadata(models: &Models, wanted: &Wanted<'_>) -> Response<Full<Bytes>> {
    match models.find(wanted) {
        Ok(served) => ok(&describe(&served)),
        Err(absent) => reply::absent(wanted, absent),
    }
}

fn describe(served: &ServedModel) -> Value {
    let signature = served.signature();
    let tensors = |columns: &[Column]| -> Map<String, Value> {
        columns.iter().map(|column| (column.name.clone(), tensor(column))).collect()
    };
    json!({
        "model_spec": { "name": served.name(), "signature_name": "", "version": version(served) },
        "metadata": { "signature_def": { "signature_def": { "serving_default": {
            "inputs": tensors(signature.inputs()),
            "outputs": tensors(signature.outputs().columns()),
            "method_name": "tensorflow/serving/predict",
        } } } },
    })
}

fn tensor(column: &Column) -> Value {
    let dtype = match column.data_type {
        DataType::Boolean => "DT_BOOL",
        DataType::Integer => "DT_INT32",
        DataType::Long => "DT_INT64",
        DataType::Float => "DT_FLOAT",
        DataType::String => "DT_STRING",
        _ => "DT_DOUBLE",
    };
    let shape = json!({ "dim": [{ "size": "-1", "name": "" }], "unknown_rank": false });
    json!({ "dtype": dtype, "tensor_shape": shape, "name": column.name })
}

/// Returns the version as text; a model without one is version 1 to a protocol that knows no other.
fn version(served: &ServedModel) -> String {
    served.version().unwrap_or(1).to_string()
}

fn ok(body: &Value) -> Response<Full<Bytes>> {
    reply::json(StatusCode::OK, reply::body(body))
}
