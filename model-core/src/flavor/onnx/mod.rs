//! The flavor `onnx`: written so that MLflow's Python loads the model, and read where Python logged a linear or logistic one.

mod decode;
mod export;
mod graph_writer;
mod import;
mod ml_operators;
mod model;
mod operators;
mod pipeline;
mod selection;
mod tensor;
mod value;
mod wire;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use self::decode::Decoder;
use super::ModelFiles;
use super::folder::Folder;
use crate::{Error, Model, NativeModel};

/// The key below `flavors`.
pub(super) const FLAVOR: &str = "onnx";

const FILE: &str = "model.onnx";

/// The version of the format, which is that of the Python package of its time.
const ONNX_VERSION: &str = "1.8.0";

/// What Python needs to load the model; any version that people still run.
const REQUIREMENTS: &str = "mlflow\nonnx\nonnxruntime\npandas\n";
const PYTHON_ENV: &str = "build_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n";

/// The part of the section of `MLmodel` that matters here.
#[derive(Deserialize)]
struct Section {
    data: String,
}

/// Puts `model.onnx` and what Python needs beside it into the folder, and returns the sections for `MLmodel`; nothing for a
/// model that has no graph with the same answers.
pub(super) fn write(model: &NativeModel, files: &mut ModelFiles) -> Vec<(&'static str, Value)> {
    let Some(graph) = export::export(model) else { return Vec::new() };
    files.insert(FILE, graph);
    files.insert("requirements.txt", REQUIREMENTS);
    files.insert("python_env.yaml", PYTHON_ENV);
    let onnx = json!({ "data": FILE, "onnx_version": ONNX_VERSION, "providers": ["CPUExecutionProvider"] });
    let python =
        json!({ "data": FILE, "env": { "virtualenv": "python_env.yaml" }, "loader_module": "mlflow.onnx" });
    vec![(FLAVOR, onnx), ("python_function", python)]
}

/// Reads the graph that the section of `MLmodel` names.
pub(super) fn read(folder: &Folder<'_>) -> Result<Arc<dyn Model>, Error> {
    let Section { data } = folder.section(FLAVOR)?;
    let bytes = folder.read(&data)?;
    let named = |cause: Error| Error::new(cause.kind(), format!("{data} cannot be served: {cause}"));
    let graph = Decoder::new(folder.limits().max_graph_parts).file(bytes).map_err(named)?;
    let columns = folder.input_columns()?;
    let model = import::import(folder, &data, graph, columns).map_err(named)?;
    Ok(Arc::new(model))
}
