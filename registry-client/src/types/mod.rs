//! What the registry's records look like, whatever stores them.

mod experiment;
mod model;
mod name;
mod page;
mod query;
mod run;
mod timestamp;

pub use experiment::{Experiment, Lifecycle, NewExperiment};
pub use model::{
    ExistingVersions, ModelVersion, NewModel, NewVersion, Promotion, RegisteredModel, Stage, VersionStatus,
};
pub use name::{AliasName, ModelName};
pub use page::{Page, PageToken};
pub use query::{Comparison, Condition, ModelField, Query, RunField, Value, VersionField};
pub use run::{Metric, NewRun, Run, RunBatch, RunStatus};
pub use timestamp::Timestamp;

/// Tags, parameters: sorted, so that two equal records print equally.
pub type Tags = std::collections::BTreeMap<String, String>;
