//! Publishing: files first, the manifest after them, the version last.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use crate::fetch::{list_files, read_manifest};
use crate::{
    ArtifactPath, ArtifactStore, Content, Digest, Error, ErrorKind, Lifecycle, Location, MANIFEST_FILE,
    Manifest, ManifestFile, ModelName, ModelVersion, NewModel, NewVersion, Overwrite, PutOptions, Query,
    Registry, Result, Run, Tags, VersionField, VersionStatus, blocking, digest,
};

/// The tag that makes [`Registry::publish`] repeatable.
pub const REQUEST_ID_TAG: &str = "mt.request_id";

/// The tag with the checksum of the manifest: what [`Registry::fetch`] checks the folder against.
pub const MANIFEST_TAG: &str = "mt.manifest_blake3";

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
    /// Where the artifacts of an active run are, for a caller who has the run at hand. Absent, the registry is asked.
    pub artifact_uri: Option<String>,
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
            artifact_uri: None,
            artifact_path: Self::DEFAULT_ARTIFACT_PATH.to_owned(),
            files,
            local_files: Vec::new(),
            description: None,
            tags: Tags::new(),
            request_id: None,
        }
    }

    /// Returns a publication into the folder `model` of a run that was just made or read: the registry need not be asked for it.
    pub fn of(name: impl Into<String>, run: &Run, files: Vec<(String, Vec<u8>)>) -> Self {
        let known = (run.lifecycle == Lifecycle::Active).then(|| run.artifact_uri.clone());
        Self { artifact_uri: known, ..Self::new(name, &run.run_id, files) }
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
    files: Vec<(ArtifactPath, Content)>,
}

pub(crate) async fn publish(registry: &Registry, publication: Publication) -> Result<ModelVersion> {
    let Publication {
        name,
        run_id,
        artifact_uri,
        artifact_path,
        files,
        local_files,
        description,
        mut tags,
        request_id,
    } = publication;
    let checked = check(&name, &artifact_path, files, local_files).await?;
    if let Some(request_id) = &request_id
        && let Some(version) = already_published(registry, &checked, request_id).await?
    {
        return Ok(version);
    }
    let (artifact_uri, lifecycle) = match artifact_uri {
        Some(known) => (known, Lifecycle::Active),
        None => {
            let run = registry.tracking().get_run(&run_id).await?;
            (run.artifact_uri, run.lifecycle)
        }
    };
    let root = artifact_uri.parse::<Location>()?.join(&checked.folder);
    let claim = registry.artifacts().claim(&root).await?;
    let stored = async {
        let (manifest, state) = store(registry.artifacts(), &root, lifecycle, &checked.files).await?;
        let digest = manifest.digest();
        let request_id = request_id.unwrap_or_else(|| {
            Digest::of(format!("{run_id}\n{}\n{digest}", checked.folder).as_bytes()).to_string()
        });
        tags.insert(MANIFEST_TAG.to_owned(), digest.to_string());
        let sealed = async {
            match state {
                Stored::Sealed => Ok(()),
                Stored::Files => seal(registry.artifacts(), &root, &manifest).await,
            }
        };
        let ((), made) = tokio::try_join!(sealed, find(registry, &checked.name, &request_id))?;
        let version = NewVersion {
            name: checked.name.to_string(),
            source: root.to_string(),
            run_id: Some(run_id),
            description,
            tags,
            request_id: Some(request_id.clone()),
            is_new: true,
        };
        let version = match made {
            Some(version) => version,
            None => register(registry, version).await?,
        };
        refuse_other(&version, digest, &request_id).map(|()| version)
    };
    let version = match stored.await {
        Err(error) if error.kind() == ErrorKind::StorageFull => {
            // Nothing was registered, and what was stored only keeps the disk full.
            clear(registry.artifacts(), &root).await;
            return Err(error);
        }
        stored => stored?,
    };
    drop(claim);
    ready(registry, version).await
}

/// Checks everything that can be checked before the first byte is stored.
async fn check(
    name: &str,
    folder: &str,
    in_memory: Vec<(String, Vec<u8>)>,
    local: Vec<(String, PathBuf)>,
) -> Result<Checked> {
    let (name, folder) = (name.parse()?, folder.parse::<ArtifactPath>()?);
    let mut files = Vec::with_capacity(in_memory.len() + local.len());
    for (path, bytes) in in_memory {
        files.push((path.parse::<ArtifactPath>()?, Content::from(bytes)));
    }
    for (path, from) in local {
        let metadata = tokio::fs::metadata(&from).await.map_err(|e| Error::io("read", &from, e))?;
        if !metadata.is_file() {
            return Err(Error::invalid(format!("{} is no file", from.display())));
        }
        files.push((path.parse()?, Content::File(from)));
    }
    for (path, _) in &files {
        folder.join(path)?;
        if *path == manifest_path() {
            return Err(Error::invalid(format!("{MANIFEST_FILE} is written by the registry: leave it out")));
        }
    }
    Manifest::check_paths(files.iter().map(|(path, _)| path))?;
    files.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Checked { name, folder, files })
}

/// Finds size and checksum of every file, reading it.
async fn measured(files: &[(ArtifactPath, Content)]) -> Result<Manifest> {
    let files = files.to_vec();
    blocking(move || {
        let measure = |(path, content): (ArtifactPath, Content)| {
            let (blake3, size) = match &content {
                Content::Memory(bytes) => (Digest::of(bytes), bytes.len() as u64),
                Content::File(from) => {
                    let mut file = File::open(from).map_err(|e| Error::io("read", from, e))?;
                    digest::of_file(&mut file, from)?
                }
            };
            Ok(ManifestFile { path, size, blake3 })
        };
        Manifest::new(files.into_iter().map(measure).collect::<Result<_>>()?)
    })
    .await
}

/// Looks for the version that an earlier call with the same request id made.
async fn already_published(
    registry: &Registry,
    checked: &Checked,
    request_id: &str,
) -> Result<Option<ModelVersion>> {
    let Some(version) = find(registry, &checked.name, request_id).await? else { return Ok(None) };
    refuse_other(&version, measured(&checked.files).await?.digest(), request_id)?;
    ready(registry, version).await.map(Some)
}

async fn find(registry: &Registry, name: &ModelName, request_id: &str) -> Result<Option<ModelVersion>> {
    let query = Query::new()
        .equals(VersionField::Name, name.as_str())
        .equals(VersionField::Tag(REQUEST_ID_TAG.to_owned()), request_id);
    Ok(registry.models().search_versions(&query).await?.items.pop())
}

/// Refuses a version that an earlier call with the same request id made of other files.
fn refuse_other(version: &ModelVersion, digest: Digest, request_id: &str) -> Result<()> {
    if version.tags.get(MANIFEST_TAG) == Some(&digest.to_string()) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Conflict,
        format!(
            "request id {request_id:?} was used for version {} of {} with other files: use another id",
            version.version, version.name
        ),
    ))
}

/// What a folder has after [`store`].
enum Stored {
    /// The files.
    Files,
    /// The manifest, too: from an earlier publication of the same files.
    Sealed,
}

/// Brings the files into the folder: whatever an interrupted publication left is replaced, what a complete one made is kept.
///
/// Each file is hashed once, on its way: the manifest then holds the checksums of what was sent.
async fn store(
    artifacts: &dyn ArtifactStore,
    root: &Location,
    lifecycle: Lifecycle,
    files: &[(ArtifactPath, Content)],
) -> Result<(Manifest, Stored)> {
    let present = artifacts.list(root, None).await?;
    if present.iter().any(|entry| entry.path == manifest_path())
        && let Some(found) = read_manifest(artifacts, root).await?
    {
        if found != measured(files).await? {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("{root} holds another published model: use another run or another artifact path"),
            ));
        }
        check_sizes(&list_files(artifacts, root).await?, root, &found)?;
        return Ok((found, Stored::Sealed));
    }
    if lifecycle == Lifecycle::Deleted {
        return Err(Error::invalid(format!(
            "the run of {root} is deleted: nothing can be published from it"
        )));
    }
    for left_over in present {
        artifacts.delete_prefix(root, &left_over.path).await?;
    }
    let mut listed = Vec::with_capacity(files.len());
    for (path, content) in files {
        let size = size(content).await?;
        let options = PutOptions { size: Some(size), ..PutOptions::default() };
        let blake3 = artifacts.put(root, path, content.clone(), options).await?;
        listed.push(ManifestFile { path: path.clone(), size, blake3 });
    }
    Ok((Manifest::new(listed)?, Stored::Files))
}

/// Puts the manifest beside files that are all there.
async fn seal(artifacts: &dyn ArtifactStore, root: &Location, manifest: &Manifest) -> Result<()> {
    let stored = list_files(artifacts, root).await?;
    check_sizes(&stored, root, manifest)?;
    if stored.iter().any(|(path, _)| *path == manifest_path()) {
        return Err(Error::new(
            ErrorKind::AlreadyExists,
            format!(
                "{root} was published by somebody else meanwhile: use another run or another artifact path"
            ),
        ));
    }
    let bytes = manifest.to_bytes();
    let (blake3, overwrite) = (Some(Digest::of(&bytes)), Overwrite::SeenAbsent);
    artifacts.put(root, &manifest_path(), bytes.into(), PutOptions { blake3, overwrite, size: None }).await?;
    Ok(())
}

async fn size(content: &Content) -> Result<u64> {
    match content {
        Content::Memory(bytes) => Ok(bytes.len() as u64),
        Content::File(from) => {
            Ok(tokio::fs::metadata(from).await.map_err(|e| Error::io("read", from, e))?.len())
        }
    }
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

/// Compares what the store holds with what was sent: some servers keep what came of an upload that broke off.
fn check_sizes(stored: &[(ArtifactPath, u64)], root: &Location, manifest: &Manifest) -> Result<()> {
    let stored: HashMap<&ArtifactPath, u64> = stored.iter().map(|(path, size)| (path, *size)).collect();
    for file in manifest.files() {
        let found = stored.get(&file.path);
        if found != Some(&file.size) {
            let found = found.map_or_else(|| "is not there".to_owned(), |size| format!("has {size}"));
            return Err(Error::integrity(format!(
                "{root}: {} should be a file of {} bytes and {found}",
                file.path, file.size
            )));
        }
    }
    Ok(())
}

/// Makes the version, and before it the model when there is none.
async fn register(registry: &Registry, version: NewVersion) -> Result<ModelVersion> {
    match registry.models().create_version(version.clone()).await {
        Err(error) if error.is_not_found() => {}
        made => return made,
    }
    match registry.models().create_model(NewModel::named(&*version.name)).await {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => drop(made?),
    }
    registry.models().create_version(version).await
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
