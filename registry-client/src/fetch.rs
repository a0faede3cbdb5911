//! Fetching: resolve, look into the cache, else stream every file beside it, checked, and make it visible at once.

use std::future::poll_fn;

use crate::cache::{Download, Entry};
use crate::manifest::MAX_MANIFEST_BYTES;
use crate::publish::{MANIFEST_TAG, manifest_path};
use crate::resolve::resolve;
use crate::{
    ArtifactKind, ArtifactPath, ArtifactStore, Cache, Digest, Error, FetchedModel, Freshness, Location,
    Manifest, ManifestFile, ModelUri, Registry, Resolved, Result,
};

/// How deep the folders of a model that has no manifest may be nested; real ones have three levels.
const MAX_DEPTH: usize = 32;

/// Is told how far a fetch, or a copy out of the cache, is; `()` does not care.
///
/// A fetch tells nothing when the model is in the cache already.
pub trait FetchProgress: Send + Sync {
    /// The transfer begins; it is this long, in bytes.
    fn started(&self, bytes: u64);

    /// So many more bytes have come.
    fn advanced(&self, bytes: u64);
}

impl FetchProgress for () {
    fn started(&self, _: u64) {}

    fn advanced(&self, _: u64) {}
}

/// Where a model's files come from, and who wants to know about it.
struct Source<'a> {
    artifacts: &'a dyn ArtifactStore,
    root: &'a Location,
    progress: &'a dyn FetchProgress,
}

pub(crate) async fn fetch(
    registry: &Registry,
    uri: &ModelUri,
    cache: &Cache,
    progress: &dyn FetchProgress,
) -> Result<FetchedModel> {
    match fetch_current(registry, uri, cache, progress).await {
        Err(error) if error.is_outage() => match cache.recall(registry.uri(), uri).await {
            Ok(model) => {
                tracing::warn!(%uri, %error, "the registry cannot be reached: using what the uri last meant");
                Ok(model)
            }
            Err(_) => Err(error),
        },
        fetched => fetched,
    }
}

async fn fetch_current(
    registry: &Registry,
    uri: &ModelUri,
    cache: &Cache,
    progress: &dyn FetchProgress,
) -> Result<FetchedModel> {
    let Resolved { version, location } = resolve(registry, uri).await?;
    let promised = match version.as_ref().and_then(|it| it.tags.get(MANIFEST_TAG)) {
        Some(text) => Some(text.parse::<Digest>().map_err(|e| {
            Error::integrity(format!("{uri}: the tag {MANIFEST_TAG} is not a checksum")).with_source(e)
        })?),
        None => None,
    };
    let cached = match promised {
        Some(digest) => cache.load(digest).await?,
        None => None,
    };
    let entry = match cached {
        Some(entry) => entry,
        None => {
            let source = Source { artifacts: registry.artifacts(), root: &location, progress };
            download(&source, uri, promised, cache).await?
        }
    };
    cache.remember(registry.uri(), uri, version.as_ref(), entry.digest).await;
    Ok(FetchedModel::new(entry, version, Freshness::Current))
}

async fn download(
    source: &Source<'_>,
    uri: &ModelUri,
    promised: Option<Digest>,
    cache: &Cache,
) -> Result<Entry> {
    let &Source { artifacts, root, progress } = source;
    let listed = match promised {
        Some(digest) => Some(promised_manifest(artifacts, root, digest).await?),
        None => read_manifest(artifacts, root).await.unwrap_or_default(),
    };
    if let Some(manifest) = listed {
        cache.check_room(manifest.total_size())?;
        let download = cache.begin().await?;
        progress.started(manifest.total_size());
        for file in manifest.files() {
            let received = receive(source, &file.path, file.size, &download).await?;
            if received != *file {
                return Err(Error::integrity(format!(
                    "{root}: {} is not what was published ({} bytes of {})",
                    file.path, received.size, file.size
                )));
            }
        }
        return download.finish(manifest).await;
    }
    tracing::warn!(%uri, "the model has no manifest: only sizes can be checked");
    download_unlisted(source, cache).await
}

/// Brings a folder that another client wrote: what is listed, with the size that is listed.
async fn download_unlisted(source: &Source<'_>, cache: &Cache) -> Result<Entry> {
    let &Source { artifacts, root, progress } = source;
    let found = list_files(artifacts, root).await?;
    if found.is_empty() {
        return Err(Error::not_found(format!("{root} holds no files")));
    }
    let total = found.iter().fold(0, |sum: u64, (_, size)| sum.saturating_add(*size));
    cache.check_room(total)?;
    let download = cache.begin().await?;
    progress.started(total);
    let mut files = Vec::with_capacity(found.len());
    for (path, size) in found {
        let received = receive(source, &path, size, &download).await?;
        if received.size != size {
            return Err(Error::integrity(format!(
                "{root}: {path} ended after {} of {size} bytes",
                received.size
            )));
        }
        files.push(received);
    }
    download.finish(Manifest::new(files)?).await
}

/// Lists every file below a location, with its size.
pub(crate) async fn list_files(
    artifacts: &dyn ArtifactStore,
    root: &Location,
) -> Result<Vec<(ArtifactPath, u64)>> {
    let mut files = Vec::new();
    let mut folders = vec![None::<ArtifactPath>];
    while let Some(folder) = folders.pop() {
        for entry in artifacts.list(root, folder.as_ref()).await? {
            match entry.kind {
                ArtifactKind::File(size) => files.push((entry.path, size)),
                ArtifactKind::Folder if entry.path.parts().count() < MAX_DEPTH => {
                    folders.push(Some(entry.path))
                }
                ArtifactKind::Folder => {
                    return Err(Error::invalid(format!(
                        "{root}: folders are nested deeper than {MAX_DEPTH} levels"
                    )));
                }
            }
        }
    }
    Ok(files)
}

/// Brings one file into the download, hashing on the way; stops as soon as it is longer than it should be.
async fn receive(
    source: &Source<'_>,
    path: &ArtifactPath,
    size: u64,
    download: &Download,
) -> Result<ManifestFile> {
    let &Source { artifacts, root, progress } = source;
    let mut left = size;
    let mut came = |len: u64| {
        left = left
            .checked_sub(len)
            .ok_or_else(|| Error::integrity(format!("{root}: {path} is longer than its {size} bytes")))?;
        progress.advanced(len);
        Ok(())
    };
    let (blake3, size) = match artifacts.local_file(root, path).await? {
        Some(file) => download.copy(path, file, came).await?,
        None => {
            let mut pieces = artifacts.get(root, path).await?;
            let mut file = download.create(path).await?;
            while let Some(piece) = poll_fn(|cx| pieces.as_mut().poll_next(cx)).await {
                let piece = piece?;
                came(piece.len() as u64)?;
                file.write(piece).await?;
            }
            file.finish().await?
        }
    };
    Ok(ManifestFile { path: path.clone(), size, blake3 })
}

async fn promised_manifest(
    artifacts: &dyn ArtifactStore,
    root: &Location,
    promised: Digest,
) -> Result<Manifest> {
    let bytes = read_small(artifacts, root, &manifest_path())
        .await?
        .ok_or_else(|| Error::integrity(format!("{root}: the manifest of a published model is missing")))?;
    if Digest::of(&bytes) != promised {
        return Err(Error::integrity(format!("{root}: the manifest is not the one that was published")));
    }
    Manifest::parse(&bytes)
}

/// Reads the manifest of a folder; `None` when it has none, so that it is not complete or not ours.
pub(crate) async fn read_manifest(
    artifacts: &dyn ArtifactStore,
    root: &Location,
) -> Result<Option<Manifest>> {
    match read_small(artifacts, root, &manifest_path()).await? {
        Some(bytes) => Manifest::parse(&bytes).map(Some),
        None => Ok(None),
    }
}

async fn read_small(
    artifacts: &dyn ArtifactStore,
    root: &Location,
    path: &ArtifactPath,
) -> Result<Option<Vec<u8>>> {
    let mut pieces = match artifacts.get(root, path).await {
        Ok(pieces) => pieces,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    while let Some(piece) = poll_fn(|cx| pieces.as_mut().poll_next(cx)).await {
        bytes.extend_from_slice(&piece?);
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(Error::integrity(format!("{root}: {path} is larger than a manifest can be")));
        }
    }
    Ok(Some(bytes))
}
