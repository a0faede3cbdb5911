//! The `MLmodel` file: YAML with MLflow's keys.
//!
//! `mlflow_version` is not written, because no MLflow wrote the file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::input_example::ExampleInfo;
use super::{ModelFiles, SaveOptions, martello};
use crate::{Error, ErrorKind, Model, NativeModel};

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
    pub(super) inputs: Option<String>,
    #[serde(default)]
    pub(super) outputs: Option<String>,
    // MLflow writes the key even where the model takes no parameters.
    #[serde(default, skip_deserializing)]
    params: (),
}

impl MlModel {
    pub(super) fn describe(
        model: &NativeModel,
        options: &SaveOptions,
        section: serde_json::Value,
        example: Option<ExampleInfo>,
    ) -> Self {
        let signature = model.signature();
        Self {
            artifact_path: options.artifact_path.clone(),
            flavors: BTreeMap::from([(martello::FLAVOR.to_owned(), section)]),
            model_uuid: options.model_uuid.clone(),
            run_id: options.run_id.clone(),
            saved_input_example_info: example,
            signature: Some(SignatureText {
                inputs: Some(signature.inputs_to_mlflow()),
                outputs: signature.outputs_to_mlflow(),
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
    serde_saphyr::from_str(text).map_err(|cause| corrupted().with_source(cause.to_string()))
}
