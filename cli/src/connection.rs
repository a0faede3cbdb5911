//! Which registry, and which model in it: the arguments that several commands share.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use martello_registry_client::{ModelUri, Registry, TrackingUri};

/// Which registry to use.
#[derive(Debug, Clone, Args)]
pub(crate) struct RegistryArgs {
    /// The registry: sqlite:///path/mlflow.db, or http://host:port of an MLflow server. Without it, the embedded registry in the data folder.
    #[arg(long, global = true, env = "MLFLOW_TRACKING_URI", value_name = "URI")]
    tracking_uri: Option<String>,
    /// Folder of the embedded registry, its artifacts and the model cache; made when it is not there.
    #[arg(
        long,
        global = true,
        env = "MARTELLO_DATA_DIR",
        value_name = "FOLDER",
        default_value = "martello-data"
    )]
    data_dir: PathBuf,
}

impl RegistryArgs {
    pub(crate) async fn open(&self) -> anyhow::Result<Registry> {
        let opened = match &self.tracking_uri {
            Some(uri) => Registry::connect(uri).await,
            None => Registry::embedded(&self.data_dir).await,
        };
        opened.context("cannot open the registry")
    }

    /// Returns where the registry is, without opening it.
    pub(crate) fn uri(&self) -> anyhow::Result<TrackingUri> {
        match &self.tracking_uri {
            Some(uri) => uri.parse().context("cannot open the registry"),
            None => Ok(TrackingUri::embedded(&self.data_dir)),
        }
    }

    /// The folder of the model cache.
    pub(crate) fn cache_dir(&self) -> PathBuf {
        self.data_dir.join("cache")
    }
}

/// Which model to serve.
#[derive(Debug, Clone, Args)]
pub(crate) struct ModelArgs {
    /// The model: models:/name/3, models:/name/Production, models:/name@champion. Without it, the registered name and
    /// the stage or version below.
    #[arg(long = "model", env = "MARTELLO_MODEL", value_name = "URI")]
    uri: Option<ModelUri>,
    #[command(flatten)]
    named: NamedModelArgs,
}

/// A model by its registered name, as the replaced system named it.
#[derive(Debug, Clone, Args)]
pub(crate) struct NamedModelArgs {
    /// Name of the registered model.
    #[arg(
        long,
        env = "REGISTERED_MODEL_NAME",
        value_name = "NAME",
        default_value = "linear_regression_model"
    )]
    model_name: String,
    /// Its stage or version.
    #[arg(long, env = "MODEL_STAGE_OR_VERSION", value_name = "STAGE", default_value = "Production")]
    model_stage_or_version: String,
}

impl ModelArgs {
    pub(crate) fn uri(&self) -> anyhow::Result<ModelUri> {
        if let Some(uri) = &self.uri {
            return Ok(uri.clone());
        }
        self.named.uri()
    }
}

impl NamedModelArgs {
    pub(crate) fn uri(&self) -> anyhow::Result<ModelUri> {
        let uri = format!("models:/{}/{}", self.model_name, self.model_stage_or_version);
        uri.parse().with_context(|| format!("{uri} is no model"))
    }
}
