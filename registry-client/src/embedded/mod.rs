//! A registry without a server: MLflow's own SQLite schema in one file, artifacts in folders beside it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::{ArtifactStore, Error, ErrorKind, ModelRegistry, Result, TrackingStore, TrackingUri};

/// The database's name in the folder of an embedded registry.
pub const DATABASE_FILE: &str = "mlflow.db";

/// The limits of an embedded registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// How long to wait while another process writes to the file.
    pub busy_timeout: Duration,
}

impl Default for EmbeddedOptions {
    /// Five seconds, as Python's client waits: a write takes milliseconds, so a longer wait means that somebody hangs.
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5) }
    }
}

pub(crate) struct Opened {
    pub(crate) uri: TrackingUri,
    pub(crate) tracking: Arc<dyn TrackingStore>,
    pub(crate) models: Arc<dyn ModelRegistry>,
    pub(crate) artifacts: Arc<dyn ArtifactStore>,
}

pub(crate) async fn open(database: &Path, _options: EmbeddedOptions) -> Result<Opened> {
    Err(Error::new(ErrorKind::Unsupported, format!("cannot open {}", database.display())))
}
