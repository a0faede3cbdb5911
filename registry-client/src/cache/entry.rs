//! One model in the cache: in use, checked, read.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::{Cache, download};
use crate::{Digest, Error, ErrorKind, Manifest, ManifestFile, Result, digest};

/// A checked entry, protected from eviction while it lives.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) digest: Digest,
    pub(crate) manifest: Arc<Manifest>,
    folder: PathBuf,
    /// The shared lock; the operating system takes it back when the process dies.
    _lease: Arc<File>,
}

impl Entry {
    /// Returns an entry whose files were checked as they came.
    pub(super) fn received(digest: Digest, manifest: Manifest, folder: PathBuf, lease: File) -> Self {
        Self { digest, manifest: Arc::new(manifest), folder, _lease: Arc::new(lease) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn model_folder(&self) -> PathBuf {
        self.folder.join("model")
    }
}

pub(super) fn load(cache: &Cache, digest: Digest) -> Result<Option<Entry>> {
    let folder = cache.entry_folder(digest);
    if !folder.exists() {
        return Ok(None);
    }
    let lease = Arc::new(lease(cache, digest)?);
    match check(&folder, digest) {
        Ok(manifest) => Ok(Some(Entry { digest, manifest: Arc::new(manifest), folder, _lease: lease })),
        Err(error) if !is_damage(&error) => Err(error),
        Err(error) => {
            tracing::warn!(%digest, %error, "a model in the cache is damaged: it is removed");
            download::discard(cache, &folder)?;
            Ok(None)
        }
    }
}

/// Whether the entry itself is at fault. A disk or a process that cannot read it at the moment says nothing about the bytes, and
/// they may be the only copy while the registry is down.
fn is_damage(error: &Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::StorageFull | ErrorKind::Timeout | ErrorKind::Unavailable
    )
}

pub(super) fn read_files(entry: &Entry) -> Result<Vec<(String, Vec<u8>)>> {
    let folder = entry.model_folder();
    entry
        .manifest
        .files()
        .iter()
        .map(|listed| {
            let path = folder.join(listed.path.as_str());
            let mut bytes = Vec::new();
            open_regular(&path)?
                .take(listed.size.saturating_add(1))
                .read_to_end(&mut bytes)
                .map_err(|e| Error::io("read", &path, e))?;
            if bytes.len() as u64 != listed.size || Digest::of(&bytes) != listed.blake3 {
                return Err(changed(&path));
            }
            Ok((listed.path.to_string(), bytes))
        })
        .collect()
}

/// Marks the entry as used now and as being in use.
pub(super) fn lease(cache: &Cache, digest: Digest) -> Result<File> {
    let path = cache.lock_file(digest);
    let refused = |e| Error::io("lock", &path, e);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(refused)?;
    file.lock_shared().map_err(refused)?;
    file.set_modified(SystemTime::now()).map_err(refused)?;
    Ok(file)
}

fn check(folder: &Path, digest: Digest) -> Result<Manifest> {
    let path = folder.join(crate::MANIFEST_FILE);
    let bytes = fs::read(&path).map_err(|e| Error::io("read", &path, e))?;
    if Digest::of(&bytes) != digest {
        return Err(changed(&path));
    }
    let manifest = Manifest::parse(&bytes)?;
    let model = folder.join("model");
    for listed in manifest.files() {
        check_file(&model.join(listed.path.as_str()), listed)?;
    }
    Ok(manifest)
}

fn check_file(path: &Path, listed: &ManifestFile) -> Result<()> {
    let mut file = open_regular(path)?;
    if digest::of_file(&mut file, path)? == (listed.blake3, listed.size) {
        Ok(())
    } else {
        Err(changed(path))
    }
}

pub(super) fn open_regular(path: &Path) -> Result<File> {
    let metadata = fs::symlink_metadata(path).map_err(|e| Error::io("read", path, e))?;
    if !metadata.is_file() {
        return Err(changed(path));
    }
    File::open(path).map_err(|e| Error::io("read", path, e))
}

pub(super) fn changed(path: &Path) -> Error {
    Error::integrity(format!("{} is not what was fetched: it has been changed", path.display()))
}
