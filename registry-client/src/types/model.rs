//! Registered models, their versions, and where each version stands.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Tags, Timestamp};
use crate::Error;

/// A name under which versions are registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredModel {
    /// The unique name.
    pub name: String,
    /// What people wrote about it.
    pub description: Option<String>,
    /// When it was registered.
    pub creation_time: Timestamp,
    /// When it, or a version of it, last changed.
    pub last_updated_time: Timestamp,
    /// The newest version of each stage that has one.
    pub latest_versions: Vec<ModelVersion>,
    /// Alias to version.
    pub aliases: BTreeMap<String, u32>,
    /// Free key-value pairs.
    pub tags: Tags,
}

/// One registered version of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelVersion {
    /// The registered model's name.
    pub name: String,
    /// 1, 2, 3, ...; never given twice while the model exists.
    pub version: u32,
    /// Where it stands.
    pub stage: Stage,
    /// Whether it can be used.
    pub status: VersionStatus,
    /// Why it has this status, when the backend says so.
    pub status_message: Option<String>,
    /// The URI of the model folder.
    pub source: String,
    /// The run that made it.
    pub run_id: Option<String>,
    /// What people wrote about it.
    pub description: Option<String>,
    /// When it was registered.
    pub creation_time: Timestamp,
    /// When it last changed.
    pub last_updated_time: Timestamp,
    /// Who registered it.
    pub user_id: Option<String>,
    /// The aliases that point to it.
    pub aliases: Vec<String>,
    /// Free key-value pairs; `mt.request_id` and `mt.manifest_blake3` are written by [`publish`](crate::Registry::publish).
    pub tags: Tags,
}

/// Where a version stands. MLflow deprecates stages for aliases; both are served here.
///
/// ```
/// use martello_registry_client::Stage;
///
/// assert_eq!("production".parse::<Stage>().unwrap(), Stage::Production);
/// assert_eq!(Stage::None.to_string(), "None");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Registered, nothing more.
    #[default]
    None,
    /// To be tried.
    Staging,
    /// To be served.
    Production,
    /// Was served.
    Archived,
}

impl Stage {
    /// Every stage, in MLflow's order.
    pub const ALL: [Self; 4] = [Self::None, Self::Staging, Self::Production, Self::Archived];

    /// Returns MLflow's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Staging => "Staging",
            Self::Production => "Production",
            Self::Archived => "Archived",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = Error;

    /// Reads a stage, whatever the case of its letters, as MLflow does.
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|stage| stage.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            Error::invalid(format!("unknown stage {text:?}: expected None, Staging, Production or Archived"))
        })
    }
}

/// Whether a version can be used.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VersionStatus {
    /// Complete.
    Ready,
    /// Still being copied.
    PendingRegistration,
    /// Will never be complete.
    FailedRegistration,
}

impl VersionStatus {
    /// Returns MLflow's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::PendingRegistration => "PENDING_REGISTRATION",
            Self::FailedRegistration => "FAILED_REGISTRATION",
        }
    }
}

impl fmt::Display for VersionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for VersionStatus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Ready, Self::PendingRegistration, Self::FailedRegistration]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| Error::invalid(format!("unknown model version status {text:?}")))
    }
}

/// What happens to the versions that stand in the stage already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExistingVersions {
    /// They stay: several versions in one stage.
    Keep,
    /// They go to [`Stage::Archived`], in the same transaction where the backend has one.
    Archive,
}

/// What it takes to register a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewModel {
    /// The name; see [`ModelName`](crate::ModelName) for what is allowed.
    pub name: String,
    /// What people should read.
    pub description: Option<String>,
    /// Free key-value pairs.
    pub tags: Tags,
}

impl NewModel {
    /// Returns a description with this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// What it takes to register a version. [`Registry::publish`](crate::Registry::publish) makes one for you.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewVersion {
    /// The registered model; must exist.
    pub name: String,
    /// The URI of the model folder.
    pub source: String,
    /// The run that made it.
    pub run_id: Option<String>,
    /// What people should read.
    pub description: Option<String>,
    /// Free key-value pairs.
    pub tags: Tags,
    /// With the same name and request id, the version that exists is returned and nothing is made.
    pub request_id: Option<String>,
    /// Whether the caller has just seen that no version has this request id: where looking costs a call of its own, it is looked
    /// for only when an answer was lost.
    pub is_new: bool,
}

/// What it takes to put a version in charge: its stage, and the alias that points to it, together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// The registered model.
    pub name: String,
    /// The version to promote.
    pub version: u32,
    /// Where it goes; versions that stand there are archived.
    pub stage: Stage,
    /// The alias that is to point to it.
    pub alias: Option<String>,
}
