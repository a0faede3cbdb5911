//! Publishing: files first, the manifest after them, the version last.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use crate::{
    ArtifactKind, ArtifactPath, ArtifactStore, Content, Digest, Error, ErrorKind, Lifecycle, Location,
    MANIFEST_FILE, Manifest, ManifestFile, ModelName, ModelVersion, NewModel, NewVersion, Overwrite,
    PutOptions, Query, Registry, Result, Tags, VersionField, VersionStatus, blocking, digest,
    fetch::read_manifest,
};

/// The tag that makes [`Registry::publish`] repeatable.
pub const REQUEST_ID_TAG: &str = "mt.request_id";

/// The tag with the checksum of the manifest: what [`Registry::fetch`] checks the folder against.
pub const MANIFEST_TAG: &str = "mt.manifest_sha256";

/// How long a backend may copy a model before it counts as failed: MLflow's own default.
const READY_TIMEOUT: Duration = Duration::from_secs(300);

/// How often a version that is not ready is looked at: a person waits, and a server has other work.
const READY_POLL: Duration = Duration::from_millis(500);

/// A model to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The registered model; made when there is none.
    pub name: String,
    /// The run that made it, whose artifacts the files become.
    pub run_id: String,
    /// The model's folder among them.
    pub artifact_path: String,
    /// Path and content of each file.
    pub files: Vec<(String, Vec<u8>)>,
    /// Path of each further file, and where on the local disk its content is: it is streamed, so memory does not grow with it. It
    /// must not change meanwhile.
    pub local_files: Vec<(String, PathBuf)>,
    /// What people should read about the version.
    pub description: Option<String>,
    /// Tags of the version.
    pub tags: Tags,
    /// Names this publication: repeated with the same id, it returns the version that it made. Absent, it is derived from the
    /// run, the path and the files' content.
    pub request_id: Option<String>,
}

impl Publication {
    /// The folder that MLflow's own examples use.
    pub const DEFAULT_ARTIFACT_PATH: &str = "model";

    /// Returns a publication of these files into the run's folder `model`.
    pub fn new(name: impl Into<String>, run_id: impl Into<String>, files: Vec<(String, Vec<u8>)>) -> Self {
        Self {
            name: name.into(),
            run_id: run_id.into(),
            artifact_path: Self::DEFAULT_ARTIFACT_PATH.to_owned(),
            files,
            local_files: Vec::new(),
            description: None,
            tags: Tags::new(),
            request_id: None,
        }
    }

    /// Adds a file whose content is on the local disk.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, from: impl Into<PathBuf>) -> Self {
        self.local_files.push((path.into(), from.into()));
        self
    }
}

/// A publication whose parts have been checked.
struct Checked {
    name: ModelName,
    folder: ArtifactPath,
    manifest: Manifest,
    files: Vec<(ArtifactPath, Content)>,
    request_id: String,
}

pub(crate) async fn publish(registry: &Registry, publication: Publication) -> Result<ModelVersion> {
    let Publication { name, run_id, artifact_path, files, local_files, description, mut tags, request_id } =
        publication;
    let files = blocking(move || measured(files, local_files)).await?;
    let checked = check(&name, &run_id, &artifact_path, files, request_id)?;
    if let Some(version) = already_published(registry, &checked).await? {
        return Ok(version);
    }
    let run = registry.tracking().get_run(&run_id).await?;
    if run.lifecycle == Lifecycle::Deleted {
        return Err(Error::invalid(format!("run {run_id} is deleted: nothing can be published from it")));
    }
    let root = run.artifact_uri.parse::<Location>()?.join(&checked.folder);
    let digest = checked.manifest.digest();
    let Checked { name, manifest, files, request_id, .. } = checked;
    tags.insert(MANIFEST_TAG.to_owned(), digest.to_string());
    let version = NewVersion {
        name: name.to_string(),
        source: root.to_string(),
        run_id: Some(run_id),
        description,
        tags,
        request_id: Some(request_id),
    };
    let claim = registry.artifacts().claim(&root).await?;
    let made = async {
        store(registry.artifacts(), &root, &manifest, files).await?;
        ensure_model(registry, &name).await?;
        registry.models().create_version(version).await
    };
    let version = match made.await {
        Err(error) if error.kind() == ErrorKind::StorageFull => {
            // Nothing was registered, and what was stored only keeps the disk full.
            clear(registry.artifacts(), &root).await;
            return Err(error);
        }
        made => made?,
    };
    drop(claim);
    ready(registry, version).await
}

/// Finds size and checksum of every file.
fn measured(
    files: Vec<(String, Vec<u8>)>,
    local_files: Vec<(String, PathBuf)>,
) -> Result<Vec<(ManifestFile, Content)>> {
    let mut measured = Vec::with_capacity(files.len() + local_files.len());
    for (path, bytes) in files {
        let (size, sha256) = (bytes.len() as u64, Digest::of(&bytes));
        measured.push((ManifestFile { path: path.parse()?, size, sha256 }, Content::from(bytes)));
    }
    for (path, from) in local_files {
        let mut file = File::open(&from).map_err(|e| Error::io("read", &from, e))?;
        let (sha256, size) = digest::of_file(&mut file, &from)?;
        measured.push((ManifestFile { path: path.parse()?, size, sha256 }, Content::File(from)));
    }
    Ok(measured)
}

fn check(
    name: &str,
    run_id: &str,
    folder: &str,
    files: Vec<(ManifestFile, Content)>,
    request_id: Option<String>,
) -> Result<Checked> {
    let (name, folder) = (name.parse()?, folder.parse::<ArtifactPath>()?);
    let mut listed = Vec::with_capacity(files.len());
    let mut contents = Vec::with_capacity(files.len());
    for (file, content) in files {
        folder.join(&file.path)?;
        if file.path == manifest_path() {
            return Err(Error::invalid(format!("{MANIFEST_FILE} is written by the registry: leave it out")));
        }
        contents.push((file.path.clone(), content));
        listed.push(file);
    }
    let manifest = Manifest::new(listed)?;
    let request_id = request_id.unwrap_or_else(|| {
        Digest::of(format!("{run_id}\n{folder}\n{}", manifest.digest()).as_bytes()).to_string()
    });
    Ok(Checked { name, folder, manifest, files: contents, request_id })
}

/// Looks for the version that an earlier call with the same request id made.
async fn already_published(registry: &Registry, checked: &Checked) -> Result<Option<ModelVersion>> {
    let query = Query::new()
        .equals(VersionField::Name, checked.name.as_str())
        .equals(VersionField::Tag(REQUEST_ID_TAG.to_owned()), checked.request_id.as_str());
    let Some(version) = registry.models().search_versions(&query).await?.items.pop() else { return Ok(None) };
    if version.tags.get(MANIFEST_TAG) != Some(&checked.manifest.digest().to_string()) {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "request id {:?} was used for version {} of {} with other files: use another id",
                checked.request_id, version.version, version.name
            ),
        ));
    }
    ready(registry, version).await.map(Some)
}

/// Brings the folder to completion: whatever an interrupted publication left is replaced, what a complete one made is kept.
async fn store(
    artifacts: &dyn ArtifactStore,
    root: &Location,
    manifest: &Manifest,
    files: Vec<(ArtifactPath, Content)>,
) -> Result<()> {
    match read_manifest(artifacts, root).await? {
        Some(found) if found == *manifest => return check_sizes(artifacts, root, manifest).await,
        Some(_) => {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("{root} holds another published model: use another run or another artifact path"),
            ));
        }
        None => {
            for left_over in artifacts.list(root, None).await? {
                artifacts.delete_prefix(root, &left_over.path).await?;
            }
        }
    }
    for ((path, content), listed) in in_manifest_order(files).into_iter().zip(manifest.files()) {
        let options =
            PutOptions { size: Some(listed.size), sha256: Some(listed.sha256), ..PutOptions::default() };
        artifacts.put(root, &path, content, options).await?;
    }
    check_sizes(artifacts, root, manifest).await?;
    let bytes = manifest.to_bytes();
    let options = PutOptions { sha256: Some(Digest::of(&bytes)), overwrite: Overwrite::Refuse, size: None };
    artifacts.put(root, &manifest_path(), bytes.into(), options).await?;
    Ok(())
}

/// Removes what an unfinished publication stored, as far as it can be removed.
async fn clear(artifacts: &dyn ArtifactStore, root: &Location) {
    let Ok(entries) = artifacts.list(root, None).await else { return };
    for entry in entries {
        if let Err(error) = artifacts.delete_prefix(root, &entry.path).await {
            tracing::warn!(%root, path = %entry.path, %error, "cannot remove a file of an unfinished publication");
        }
    }
}

fn in_manifest_order(mut files: Vec<(ArtifactPath, Content)>) -> Vec<(ArtifactPath, Content)> {
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files
}

async fn check_sizes(artifacts: &dyn ArtifactStore, root: &Location, manifest: &Manifest) -> Result<()> {
    for file in manifest.files() {
        let stored = artifacts.stat(root, &file.path).await?;
        if stored.kind != ArtifactKind::File(file.size) {
            return Err(Error::integrity(format!(
                "{root}: {} should be a file of {} bytes and is {:?}",
                file.path, file.size, stored.kind
            )));
        }
    }
    Ok(())
}

async fn ensure_model(registry: &Registry, name: &ModelName) -> Result<()> {
    match registry.models().get_model(name.as_str()).await {
        Err(error) if error.is_not_found() => {}
        found => return found.map(drop),
    }
    match registry.models().create_model(NewModel::named(name.as_str())).await {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

/// Waits while the backend still copies the version.
async fn ready(registry: &Registry, mut version: ModelVersion) -> Result<ModelVersion> {
    let deadline = Instant::now() + READY_TIMEOUT;
    loop {
        match version.status {
            VersionStatus::Ready => return Ok(version),
            VersionStatus::PendingRegistration if Instant::now() < deadline => {
                tokio::time::sleep(READY_POLL).await
            }
            status => {
                let kind = if status == VersionStatus::FailedRegistration {
                    ErrorKind::Unavailable
                } else {
                    ErrorKind::Timeout
                };
                let message =
                    format!("version {} of {} did not become ready: {status}", version.version, version.name);
                return Err(Error::new(kind, message));
            }
        }
        version = registry.models().get_version(&version.name, version.version).await?;
    }
}

pub(crate) fn manifest_path() -> ArtifactPath {
    MANIFEST_FILE.parse().expect("the manifest's name is a valid path")
}
