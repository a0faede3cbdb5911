//! One handle on everything: tracking, models, artifacts, and what is built on them.

use std::path::Path;
use std::sync::Arc;

use crate::{
    ArtifactStore, Cache, Error, ErrorKind, Experiment, FetchProgress, FetchedModel, ModelRegistry, ModelUri,
    ModelVersion, NewExperiment, Promotion, Publication, Resolved, Result, Stage, TrackingStore, TrackingUri,
    Watch, WatchOptions,
    embedded::{self, EmbeddedOptions, Sweeper},
};

/// A registry: who trained what, which version is in charge, and where its files are.
///
/// A cheap handle; clones share one backend.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use martello_registry_client::{NewModel, Registry};
///
/// let dir = tempfile::tempdir()?;
/// let registry = Registry::embedded(dir.path()).await?;
/// registry.models().create_model(NewModel::named("fraud")).await?;
/// assert_eq!(registry.models().get_model("fraud").await?.name, "fraud");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Registry {
    inner: Arc<Backend>,
}

#[derive(Debug)]
struct Backend {
    uri: TrackingUri,
    tracking: Arc<dyn TrackingStore>,
    models: Arc<dyn ModelRegistry>,
    artifacts: Arc<dyn ArtifactStore>,
    sweeper: Option<Sweeper>,
}

impl Registry {
    /// Opens the embedded registry in a folder, making it when it is not there: `mlflow.db` in MLflow's own schema, and
    /// `artifacts/`.
    ///
    /// # Errors
    ///
    /// `SchemaUnsupported` when a newer MLflow has upgraded the file, `PermissionDenied`, `StorageFull` or `Unavailable` when the
    /// folder cannot be used.
    pub async fn embedded(dir: impl AsRef<Path>) -> Result<Self> {
        let database = dir.as_ref().join(embedded::DATABASE_FILE);
        Self::embedded_with(database, EmbeddedOptions::default()).await
    }

    /// Opens an embedded registry by its database file, with other limits; artifacts of new experiments go beside it.
    ///
    /// # Errors
    ///
    /// As [`embedded`](Self::embedded).
    pub async fn embedded_with(database: impl AsRef<Path>, options: EmbeddedOptions) -> Result<Self> {
        let opened = embedded::open(database.as_ref(), options).await?;
        let embedded::Opened { uri, tracking, models, artifacts, sweeper } = opened;
        Ok(Self { inner: Arc::new(Backend { uri, tracking, models, artifacts, sweeper: Some(sweeper) }) })
    }

    /// Opens the registry that a tracking URI names: `sqlite:///path/mlflow.db`, or with the feature `rest` an MLflow server at
    /// `http://host:port`, with the settings that the environment has.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a URI that names another kind of registry, an MLflow server among them when the feature is off;
    /// otherwise as [`embedded`](Self::embedded).
    pub async fn connect(tracking_uri: &str) -> Result<Self> {
        Self::open(tracking_uri.parse()?).await
    }

    /// Opens the registry that `MLFLOW_TRACKING_URI` names.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when the variable is not set; otherwise as [`connect`](Self::connect).
    pub async fn from_env() -> Result<Self> {
        Self::open(TrackingUri::from_env()?).await
    }

    /// Returns the registry that an MLflow server keeps; it is not asked anything yet.
    ///
    /// # Errors
    ///
    /// Those of [`MlflowClient::new`](crate::rest::MlflowClient::new).
    #[cfg(feature = "rest")]
    pub fn mlflow(address: &str, options: crate::rest::RestOptions) -> Result<Self> {
        let client = crate::rest::MlflowClient::new(address, options)?;
        let artifacts = crate::RoutedArtifacts::new().proxy(Arc::new(crate::ProxyArtifacts::new(&client)));
        #[cfg(feature = "s3")]
        let artifacts = artifacts.s3(Arc::new(crate::S3Artifacts::from_env()));
        let client = Arc::new(client);
        Ok(Self::from_parts(
            TrackingUri::Http(address.to_owned()),
            client.clone(),
            client,
            Arc::new(artifacts),
        ))
    }

    /// Puts a registry together from a backend's three parts.
    pub fn from_parts(
        uri: TrackingUri,
        tracking: Arc<dyn TrackingStore>,
        models: Arc<dyn ModelRegistry>,
        artifacts: Arc<dyn ArtifactStore>,
    ) -> Self {
        Self { inner: Arc::new(Backend { uri, tracking, models, artifacts, sweeper: None }) }
    }

    async fn open(uri: TrackingUri) -> Result<Self> {
        match uri {
            TrackingUri::Sqlite(path) => Self::embedded_with(path, EmbeddedOptions::default()).await,
            #[cfg(feature = "rest")]
            TrackingUri::Http(address) => Self::mlflow(&address, crate::rest::RestOptions::from_env()?),
            #[cfg(not(feature = "rest"))]
            TrackingUri::Http(_) => Err(Error::new(
                ErrorKind::Unsupported,
                format!("{uri} is an MLflow server: this build speaks to none, use sqlite:///path/mlflow.db"),
            )),
        }
    }

    /// Returns where this registry is; the path of an embedded one is absolute.
    pub fn uri(&self) -> &TrackingUri {
        &self.inner.uri
    }

    /// Returns the experiments and runs.
    pub fn tracking(&self) -> &dyn TrackingStore {
        &*self.inner.tracking
    }

    /// Returns the registered models and versions.
    pub fn models(&self) -> &dyn ModelRegistry {
        &*self.inner.models
    }

    /// Returns the files.
    pub fn artifacts(&self) -> &dyn ArtifactStore {
        &*self.inner.artifacts
    }

    /// Returns what finds and deletes the files that an embedded registry no longer needs.
    ///
    /// # Errors
    ///
    /// `Unsupported` for any other registry.
    pub fn sweeper(&self) -> Result<&Sweeper> {
        self.inner.sweeper.as_ref().ok_or_else(|| {
            let message =
                format!("{} is no embedded registry: run `mlflow gc` where its server is", self.uri());
            Error::new(ErrorKind::Unsupported, message)
        })
    }

    /// Returns the experiment with this name, making it when there is none.
    ///
    /// # Errors
    ///
    /// Those of [`TrackingStore::create_experiment`], except that the name is taken.
    pub async fn ensure_experiment(&self, name: &str) -> Result<Experiment> {
        match self.tracking().get_experiment_by_name(name).await {
            Err(error) if error.is_not_found() => {}
            found => return found,
        }
        match self.tracking().create_experiment(NewExperiment::named(name)).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.tracking().get_experiment_by_name(name).await
            }
            made => made,
        }
    }

    /// Stores a model's files and registers them as the next version, all or nothing.
    ///
    /// Files come first, each whole and on disk; then [`manifest.json`](crate::MANIFEST_FILE); then the version with its tags, in
    /// one transaction. So a version that can be seen is complete, and what a crash leaves behind cannot be loaded through the
    /// registry. The call can be repeated: with the same [request id](Publication::request_id) the same version is returned, and
    /// an interrupted publication is completed.
    ///
    /// # Errors
    ///
    /// `NotFound` without the run, `InvalidArgument` for a bad name, path or set of files, `Conflict` when the run has another model
    /// at this path, and what the stores return.
    pub async fn publish(&self, publication: Publication) -> Result<ModelVersion> {
        crate::publish::publish(self, publication).await
    }

    /// Puts a version in charge: archives what stands in the stage, moves the version there, lets the alias point to it.
    ///
    /// # Errors
    ///
    /// `NotFound` without the version, `InvalidArgument` for a reserved alias.
    pub async fn promote(
        &self,
        name: &str,
        version: u32,
        stage: Stage,
        alias: Option<&str>,
    ) -> Result<ModelVersion> {
        let alias = alias.map(str::to_owned);
        self.models().promote(Promotion { name: name.to_owned(), version, stage, alias }).await
    }

    /// Finds what a URI points to now: the version, if it has one, and the folder.
    ///
    /// # Errors
    ///
    /// `NotFound` when it points to nothing, `Unavailable` when the version is not ready, `InvalidArgument` when URIs lead in a circle.
    pub async fn resolve(&self, uri: &ModelUri) -> Result<Resolved> {
        crate::resolve::resolve(self, uri).await
    }

    /// Brings a model's files into the cache, every byte checked, and returns their folder.
    ///
    /// What is in the cache already is checked again and not transferred. While the registry cannot be reached, the URI
    /// means what it last meant: see [`Freshness`](crate::Freshness).
    ///
    /// # Errors
    ///
    /// Those of [`resolve`](Self::resolve), and `Integrity` when bytes differ from what was published.
    pub async fn fetch(&self, uri: &ModelUri, cache: &Cache) -> Result<FetchedModel> {
        self.fetch_with(uri, cache, &()).await
    }

    /// Does what [`fetch`](Self::fetch) does, and tells how far it is.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch).
    pub async fn fetch_with(
        &self,
        uri: &ModelUri,
        cache: &Cache,
        progress: &dyn FetchProgress,
    ) -> Result<FetchedModel> {
        crate::fetch::fetch(self, uri, cache, progress).await
    }

    /// Watches what a URI points to; see [`Watch`].
    pub fn watch(&self, uri: ModelUri, options: WatchOptions) -> Watch {
        Watch::start(self.clone(), uri, options)
    }
}
