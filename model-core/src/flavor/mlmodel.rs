//! The `MLmodel` file: YAML with MLflow's keys.
//!
//! `mlflow_version` is not written, because no MLflow wrote the file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_saphyr::{NonFiniteFloatPolicy, SingleQuoted};

use super::input_example::ExampleInfo;
use super::{ModelFiles, SaveOptions};
use crate::{Error, ErrorKind, Model, NativeModel, Signature};

/// The name of the file.
pub(super) const FILE: &str = "MLmodel";

/// The keys of the file that mean something here; others are ignored when a file is read.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MlModel {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact_path: Option<String>,
    pub(super) flavors: BTreeMap<String, serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model_uuid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) saved_input_example_info: Option<ExampleInfo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signature: Option<SignatureText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) utc_time_created: Option<String>,
}

/// A signature as MLflow nests it: JSON in text in YAML.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SignatureText {
    #[serde(default)]
    inputs: Option<SingleQuoted<String>>,
    #[serde(default)]
    outputs: Option<SingleQuoted<String>>,
    // MLflow writes the key even where the model takes no parameters.
    #[serde(default, skip_deserializing)]
    params: (),
}

impl SignatureText {
    pub(super) fn parse(&self) -> Result<Signature, Error> {
        Signature::from_mlflow(self.inputs(), self.outputs.as_ref().map(|outputs| outputs.0.as_str()))
    }

    /// Reads the inputs alone, where the outputs are known from the model itself.
    pub(super) fn parse_inputs(&self) -> Result<Signature, Error> {
        Signature::from_mlflow(self.inputs(), None)
    }

    fn inputs(&self) -> &str {
        self.inputs.as_ref().map_or("[]", |inputs| &inputs.0)
    }
}

impl MlModel {
    pub(super) fn describe(
        model: &NativeModel,
        options: &SaveOptions,
        flavors: BTreeMap<String, serde_json::Value>,
        example: Option<ExampleInfo>,
    ) -> Self {
        let signature = model.signature();
        Self {
            artifact_path: options.artifact_path.clone(),
            flavors,
            model_uuid: options.model_uuid.clone(),
            run_id: options.run_id.clone(),
            saved_input_example_info: example,
            signature: Some(SignatureText {
                inputs: Some(SingleQuoted(signature.inputs_to_mlflow())),
                outputs: signature.outputs_to_mlflow().map(SingleQuoted),
                params: (),
            }),
            utc_time_created: options.utc_time_created.clone(),
        }
    }

    pub(super) fn write(&self, files: &mut ModelFiles) {
        let yaml = serde_saphyr::to_string(self).expect("maps of text and numbers always have a YAML form");
        files.insert(FILE, yaml);
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<MlModel, Error> {
    let corrupted = || Error::new(ErrorKind::Corrupted, format!("{FILE} is not the YAML of an MLflow model"));
    let text = std::str::from_utf8(bytes).map_err(|cause| corrupted().with_source(cause))?;
    // Sections of flavors that are not read here may hold anything. Snippets would break a log line into several.
    let options = serde_saphyr::options! {
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|cause| corrupted().with_source(cause.to_string()))
}
