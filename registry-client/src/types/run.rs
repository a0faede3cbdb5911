//! Runs: one training, with its parameters, metrics, tags and artifacts.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Lifecycle, Tags, Timestamp};
use crate::Error;

/// One training: what went in, what came out, where the files are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// 32 hexadecimal digits.
    pub run_id: String,
    /// The experiment that it belongs to.
    pub experiment_id: String,
    /// The name that people read; not unique.
    pub name: String,
    /// Who ran it.
    pub user_id: String,
    /// How far it is.
    pub status: RunStatus,
    /// When it started.
    pub start_time: Option<Timestamp>,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// Whether it was deleted.
    pub lifecycle: Lifecycle,
    /// The URI below which its artifacts are.
    pub artifact_uri: String,
    /// What the training was told; written once.
    pub params: Tags,
    /// The latest value of each metric; [`TrackingStore::metric_history`](crate::TrackingStore::metric_history) has the others.
    pub metrics: BTreeMap<String, f64>,
    /// Free key-value pairs.
    pub tags: Tags,
}

/// How far a run is.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RunStatus {
    /// At work.
    Running,
    /// Planned.
    Scheduled,
    /// Ended well.
    Finished,
    /// Ended badly.
    Failed,
    /// Ended by somebody.
    Killed,
}

impl RunStatus {
    /// Returns MLflow's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Scheduled => "SCHEDULED",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }

    /// Returns whether nothing more will happen.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Killed)
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RunStatus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Running, Self::Scheduled, Self::Finished, Self::Failed, Self::Killed]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| Error::invalid(format!("unknown run status {text:?}")))
    }
}

/// What it takes to start a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewRun {
    /// The experiment that it belongs to.
    pub experiment_id: String,
    /// The name that people read; the backend makes one up when absent.
    pub name: Option<String>,
    /// Who runs it; MLflow's UI shows it.
    pub user_id: Option<String>,
    /// When it started; now, when absent.
    pub start_time: Option<Timestamp>,
    /// Free key-value pairs.
    pub tags: Tags,
}

impl NewRun {
    /// Returns a description of a run in this experiment that starts now.
    pub fn in_experiment(experiment_id: impl Into<String>) -> Self {
        Self { experiment_id: experiment_id.into(), ..Self::default() }
    }
}

/// One measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// What was measured.
    pub key: String,
    /// The value; NaN and infinities are kept.
    pub value: f64,
    /// When it was measured.
    pub timestamp: Timestamp,
    /// The training step, 0 when there are no steps.
    pub step: i64,
}

/// Parameters, metrics and tags that are written together or not at all.
///
/// ```
/// use martello_registry_client::RunBatch;
///
/// let batch = RunBatch::new().param("test_size", 0.2).metric("rmse", 0.097).tag("data", "synthetic");
/// assert_eq!(batch.params["test_size"], "0.2");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunBatch {
    /// Written once: another value for the same key is refused.
    pub params: Tags,
    /// Added to the history.
    pub metrics: Vec<Metric>,
    /// Set, or set anew.
    pub tags: Tags,
}

impl RunBatch {
    /// Returns an empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter.
    #[must_use]
    pub fn param(mut self, key: impl Into<String>, value: impl fmt::Display) -> Self {
        self.params.insert(key.into(), value.to_string());
        self
    }

    /// Adds a metric measured now, at step 0.
    #[must_use]
    pub fn metric(mut self, key: impl Into<String>, value: f64) -> Self {
        self.metrics.push(Metric { key: key.into(), value, timestamp: Timestamp::now(), step: 0 });
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }
}
