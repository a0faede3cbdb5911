//! A registry without a server: MLflow's own SQLite schema in one file, artifacts in folders beside it.
//!
//! MLflow's UI and Python client open the same file. The rules that keep both safe: the schema is made whole and as MLflow makes
//! it; its revision is looked at in every transaction, and an unknown one is not touched; every statement names its columns, and none
//! depends on the keys of registry tables, which differ between revisions; what is ours lives in `mt_` tables.

mod database;
mod experiments;
mod failure;
mod guard;
mod identity;
mod log;
mod logged_models;
mod migrate;
mod model_store;
mod models;
mod needed;
mod owned;
mod readers;
mod runs;
mod schema;
mod search;
mod stages;
mod sweep;
mod tracking_store;
pub(crate) mod validate;
mod versions;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use database::Database;
use model_store::EmbeddedModels;
use tracking_store::EmbeddedTracking;

pub use sweep::{Garbage, GarbageReason, Sweeper};

use crate::disk::create_dirs;
use crate::{
    ArtifactStore, Error, LocalArtifacts, ModelRegistry, Result, TrackingStore, TrackingUri, blocking,
};

/// The database's name in the folder of an embedded registry.
pub const DATABASE_FILE: &str = "mlflow.db";

/// The folder for artifacts, beside the database.
const ARTIFACTS_FOLDER: &str = "artifacts";

/// The limits of an embedded registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// How long to wait while another process writes to the file.
    pub busy_timeout: Duration,
}

impl Default for EmbeddedOptions {
    /// Five seconds, as Python's SQLite driver waits: a write takes milliseconds, so a longer wait means that somebody hangs.
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5) }
    }
}

/// The parts of an open registry.
pub(crate) struct Opened {
    pub(crate) uri: TrackingUri,
    pub(crate) tracking: Arc<dyn TrackingStore>,
    pub(crate) models: Arc<dyn ModelRegistry>,
    pub(crate) artifacts: Arc<dyn ArtifactStore>,
    pub(crate) sweeper: Sweeper,
}

pub(crate) async fn open(database: &Path, options: EmbeddedOptions) -> Result<Opened> {
    let asked = database.to_owned();
    let (file, artifacts) = blocking(move || prepare_folder(&asked)).await?;
    let local = LocalArtifacts::open(&artifacts).await?;
    let root = crate::Location::file(&artifacts)?;
    let database = Database::open(file.clone(), root.clone(), options).await?;
    Ok(Opened {
        sweeper: Sweeper::new(database.clone(), file.clone(), artifacts),
        uri: TrackingUri::Sqlite(file),
        tracking: Arc::new(EmbeddedTracking::new(database.clone(), root)),
        models: Arc::new(EmbeddedModels::new(database, local.clone())),
        artifacts: artifacts_beside(local),
    })
}

/// Returns the store for local folders; what another MLflow has put into buckets is reached as well, where this build can.
fn artifacts_beside(local: LocalArtifacts) -> Arc<dyn ArtifactStore> {
    #[cfg(feature = "s3")]
    return Arc::new(
        crate::RoutedArtifacts::new().local(Arc::new(local)).s3(Arc::new(crate::S3Artifacts::from_env())),
    );
    #[cfg(not(feature = "s3"))]
    Arc::new(local)
}

/// Makes the folder and returns the absolute paths of the database and of the artifacts. Links in the folder's own path are
/// resolved, so that artifact locations stay good when a link changes.
fn prepare_folder(database: &Path) -> Result<(PathBuf, PathBuf)> {
    let absolute = std::path::absolute(database).map_err(|e| Error::io("find", database, e))?;
    let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(Error::invalid(format!("{} names no database file", database.display())));
    };
    create_dirs(folder)?;
    let folder = folder.canonicalize().map_err(|e| Error::io("find", folder, e))?;
    Ok((folder.join(name), folder.join(ARTIFACTS_FOLDER)))
}
