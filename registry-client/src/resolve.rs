//! From a model URI to a version and a folder.

use crate::{
    ArtifactPath, Error, ErrorKind, Location, ModelUri, ModelVersion, Registry, Result, Stage, VersionStatus,
};

/// How often a URI may lead to another one: a version's source may be a run's URI, and no honest chain is longer.
const MAX_STEPS: usize = 5;

/// What a URI points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The registered version; `None` for a URI that names a run or a folder.
    pub version: Option<ModelVersion>,
    /// The model folder.
    pub location: Location,
}

pub(crate) async fn resolve(registry: &Registry, uri: &ModelUri) -> Result<Resolved> {
    let mut version = None;
    let mut next = uri.clone();
    for _ in 0..MAX_STEPS {
        next = match next {
            ModelUri::Artifacts(location) => return Ok(Resolved { version, location }),
            ModelUri::Run { run_id, path } => {
                return Ok(Resolved { version, location: of_run(registry, &run_id, &path).await? });
            }
            ModelUri::LoggedModel { model_id } => {
                registry.tracking().logged_model_location(&model_id).await?.parse()?
            }
            named => {
                let found = find_version(registry, &named).await?;
                let source = registry.models().download_location(&found.name, found.version).await?;
                version.get_or_insert(found);
                source.parse()?
            }
        };
    }
    Err(Error::invalid(format!("{uri} leads through more than {MAX_STEPS} other uris")))
}

/// Finds a folder among a run's artifacts, or else the model of that name that the run has logged elsewhere.
async fn of_run(registry: &Registry, run_id: &str, path: &ArtifactPath) -> Result<Location> {
    let run = registry.tracking().get_run(run_id).await?;
    let root = run.artifact_uri.parse::<Location>()?;
    if registry.artifacts().list(&root, Some(path)).await?.is_empty()
        && let Some(uri) = registry.tracking().find_logged_model(&run, path.as_str()).await?
    {
        return uri.parse();
    }
    Ok(root.join(path))
}

/// Finds the registered version that a `models:/` URI names, ready to be used.
pub(crate) async fn find_version(registry: &Registry, uri: &ModelUri) -> Result<ModelVersion> {
    let models = registry.models();
    let version = match uri {
        ModelUri::Version { name, version } => models.get_version(name.as_str(), *version).await?,
        ModelUri::Alias { name, alias } => models.get_version_by_alias(name.as_str(), alias.as_str()).await?,
        ModelUri::Stage { name, stage } => newest(registry, uri, name.as_str(), &[*stage]).await?,
        ModelUri::Latest { name } => newest(registry, uri, name.as_str(), &[]).await?,
        other => return Err(Error::invalid(format!("{other} names no registered model"))),
    };
    match version.status {
        VersionStatus::Ready => Ok(version),
        status => Err(Error::new(
            ErrorKind::Unavailable,
            format!("version {} of {} is not ready: {status}", version.version, version.name),
        )),
    }
}

async fn newest(registry: &Registry, uri: &ModelUri, name: &str, stages: &[Stage]) -> Result<ModelVersion> {
    let versions = registry.models().latest_versions(name, stages).await?;
    versions
        .into_iter()
        .max_by_key(|version| version.version)
        .ok_or_else(|| Error::not_found(format!("{uri} has no version")))
}
