//! A registry in a temporary folder, and short ways to look into it.

#![allow(dead_code, reason = "each test file uses a part")]

use std::sync::Arc;

use martello_model_core::flavor::{self, LoadedModel};
use martello_registry_client::{Cache, ModelVersion, Query, Registry, Run, RunField, VersionField};
use martello_trainer::{Dataset, Feature, Outcome, Target};
use tempfile::TempDir;

/// A registry that goes with its folder.
pub(crate) struct Embedded {
    pub(crate) registry: Registry,
    pub(crate) folder: TempDir,
}

pub(crate) async fn embedded() -> Embedded {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(folder.path().join("registry")).await.unwrap();
    Embedded { registry, folder }
}

impl Embedded {
    /// Every version of a model, the newest first.
    pub(crate) async fn versions(&self, model: &str) -> Vec<ModelVersion> {
        let query = Query::new().equals(VersionField::Name, model);
        self.registry.models().search_versions(&query).await.unwrap().items
    }

    /// Every run of an experiment, the newest first.
    pub(crate) async fn runs(&self, experiment: &str) -> Vec<Run> {
        let id = match self.registry.tracking().get_experiment_by_name(experiment).await {
            Ok(experiment) => experiment.experiment_id,
            Err(error) if error.is_not_found() => return Vec::new(),
            Err(error) => panic!("{error}"),
        };
        let runs = self.registry.tracking().search_runs(&Query::<RunField>::new()).await.unwrap().items;
        runs.into_iter().filter(|run| run.experiment_id == id).collect()
    }

    /// What a replica gets when it asks for this URI.
    pub(crate) async fn load(&self, uri: &str) -> Result<LoadedModel, martello_registry_client::Error> {
        let cache = Cache::open(self.folder.path().join("cache"))?;
        let fetched = self.registry.fetch(&uri.parse()?, &cache).await?;
        let files = fetched.read_files().await?.into_iter().collect();
        Ok(flavor::load(&files).unwrap())
    }
}

/// `y = 3x + noise`, where the noise grows with `spoilt`.
pub(crate) fn line(spoilt: f64) -> Dataset {
    let x: Vec<f64> = (0..50).map(f64::from).collect();
    let y = x.iter().map(|x| 3.0 * x + spoilt * (7.0 * x).sin()).collect();
    Dataset::new(vec![Feature::numbers("x", x)], Target::numbers("y", y)).unwrap()
}

/// `a` below 20, `b` from there on.
pub(crate) fn two_classes() -> Dataset {
    let labels = (0..40).map(|row| Arc::from(if row < 20 { "a" } else { "b" })).collect();
    let x = (0..40).map(f64::from).collect();
    Dataset::new(vec![Feature::numbers("x", x)], Target::labels("y", labels)).unwrap()
}

pub(crate) fn trained(outcome: &Outcome) -> &ModelVersion {
    match outcome {
        Outcome::Trained { version, .. } => version,
        other => panic!("nothing was trained: {other:?}"),
    }
}
