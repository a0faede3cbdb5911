//! Experiments.

use serde::Deserialize;

use super::{Pair, lifecycle, number, tags};
use crate::{Experiment, Timestamp};

#[derive(Deserialize)]
pub(in crate::rest) struct ExperimentMessage {
    experiment_id: String,
    name: String,
    #[serde(default)]
    artifact_location: String,
    lifecycle_stage: Option<String>,
    #[serde(default, deserialize_with = "number::time")]
    creation_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "number::time")]
    last_update_time: Option<Timestamp>,
    #[serde(default)]
    tags: Vec<Pair>,
}

impl From<ExperimentMessage> for Experiment {
    fn from(message: ExperimentMessage) -> Self {
        Self {
            experiment_id: message.experiment_id,
            name: message.name,
            artifact_location: message.artifact_location,
            lifecycle: lifecycle(message.lifecycle_stage.as_deref()),
            creation_time: message.creation_time,
            last_update_time: message.last_update_time,
            tags: tags(message.tags),
        }
    }
}
