//! Experiments: named groups of runs that share a place for artifacts.

use serde::{Deserialize, Serialize};

use super::{Tags, Timestamp};

/// A named group of runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Experiment {
    /// The identifier: a number in text, `"0"` for `Default`.
    pub experiment_id: String,
    /// The unique name.
    pub name: String,
    /// The URI below which each run gets its folder.
    pub artifact_location: String,
    /// Whether it was deleted.
    pub lifecycle: Lifecycle,
    /// When it was made.
    pub creation_time: Option<Timestamp>,
    /// When it last changed.
    pub last_update_time: Option<Timestamp>,
    /// Free key-value pairs.
    pub tags: Tags,
}

/// Whether a run or an experiment counts; MLflow deletes by marking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lifecycle {
    /// In use.
    Active,
    /// Marked as deleted; still readable, not writable.
    Deleted,
}

impl Lifecycle {
    /// Returns MLflow's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
        }
    }
}

/// What it takes to make an experiment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewExperiment {
    /// The name; must not be taken, not even by a deleted experiment.
    pub name: String,
    /// Where artifacts go; the backend chooses when absent.
    pub artifact_location: Option<String>,
    /// Free key-value pairs.
    pub tags: Tags,
}

impl NewExperiment {
    /// Returns a description with this name and the backend's own place for artifacts.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}
