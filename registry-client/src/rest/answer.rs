//! The server's answers about registered models and their versions.

use serde::Deserialize;

use super::message::{ModelMessage, VersionMessage};
use crate::{ModelVersion, Result};

#[derive(Deserialize)]
pub(super) struct OneModel {
    pub(super) registered_model: ModelMessage,
}

#[derive(Deserialize)]
pub(super) struct ManyModels {
    #[serde(default)]
    pub(super) registered_models: Vec<ModelMessage>,
    pub(super) next_page_token: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct OneVersion {
    pub(super) model_version: VersionMessage,
}

#[derive(Deserialize)]
pub(super) struct ManyVersions {
    #[serde(default)]
    pub(super) model_versions: Vec<VersionMessage>,
    pub(super) next_page_token: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct DownloadUri {
    pub(super) artifact_uri: String,
}

pub(super) fn versions(answer: ManyVersions) -> Result<Vec<ModelVersion>> {
    answer.model_versions.into_iter().map(ModelVersion::try_from).collect()
}
