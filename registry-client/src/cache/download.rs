//! A model on its way into the cache.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::{Cache, Entry, entry, evict};
use crate::disk::{sync_dir, sync_file};
use crate::transfer::{FileWriter, copy};
use crate::{ArtifactPath, Digest, Error, ErrorKind, MANIFEST_FILE, Manifest, Result, blocking};

/// How old a download must be to count as left behind by a crash: no honest one takes a day.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// A folder beside the models; dropped before it is finished, it is removed.
#[derive(Debug)]
pub(crate) struct Download {
    cache: Cache,
    folder: PathBuf,
}

impl Download {
    pub(super) async fn begin(cache: Cache) -> Result<Self> {
        let folder = cache.temporary().join(Uuid::new_v4().simple().to_string());
        let model = folder.join("model");
        tokio::fs::create_dir_all(&model).await.map_err(|e| Error::io("create", &model, e))?;
        Ok(Self { cache, folder })
    }

    /// Opens a new file for writing.
    pub(crate) async fn create(&self, path: &ArtifactPath) -> Result<FileWriter> {
        let (file, target) = self.create_file(path).await?;
        FileWriter::new(file, target)
    }

    /// Makes a new file a copy of one of this machine; `came` is told of its bytes as they come, and can end it.
    pub(crate) async fn copy(
        &self,
        path: &ArtifactPath,
        from: File,
        came: impl FnMut(u64) -> Result<()>,
    ) -> Result<(Digest, u64)> {
        let (file, target) = self.create_file(path).await?;
        copy(from, file, target, came).await
    }

    async fn create_file(&self, path: &ArtifactPath) -> Result<(File, PathBuf)> {
        let target = self.folder.join("model").join(path.as_str());
        if let Some(parent) = target.parent() {
            tokio::fs::create_dir_all(parent).await.map_err(|e| Error::io("create", parent, e))?;
        }
        let file = tokio::fs::File::create_new(&target).await.map_err(|e| Error::io("create", &target, e))?;
        Ok((file.into_std().await, target))
    }

    /// Makes the model visible under the name of its content, then evicts what is too much. `manifest` is what was received.
    ///
    /// Returns before the disk has it all: a power loss in the seconds until then leaves a damaged entry, which is noticed when it is
    /// loaded and fetched again.
    pub(crate) async fn finish(self, manifest: Manifest) -> Result<Entry> {
        let entry = blocking(move || self.publish(manifest)).await?;
        let folder = entry.folder().to_owned();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = sync_tree(&folder) {
                tracing::debug!(%error, "a model in the cache is not known to be on disk");
            }
        });
        Ok(entry)
    }

    fn publish(&self, manifest: Manifest) -> Result<Entry> {
        let listed = self.folder.join(MANIFEST_FILE);
        fs::write(&listed, manifest.to_bytes()).map_err(|e| Error::io("write", &listed, e))?;
        let digest = manifest.digest();
        let target = self.cache.entry_folder(digest);
        // In use from the first moment on, or another process could evict it.
        let lease = entry::lease(&self.cache, digest)?;
        if fs::rename(&self.folder, &target).is_ok() {
            // Every byte was hashed on its way here.
            evict::make_room(&self.cache, Some(digest))?;
            return Ok(Entry::received(digest, manifest, target, lease));
        }
        drop(lease);
        // Somebody else may have brought the same content meanwhile; if theirs is damaged, loading removes it.
        for _ in 0..2 {
            let renamed = fs::rename(&self.folder, &target);
            if let Err(error) = renamed.as_ref()
                && !target.exists()
            {
                return Err(Error::io("rename a download to", &target, std::io::Error::from(error.kind())));
            }
            if let Some(entry) = entry::load(&self.cache, digest)? {
                evict::make_room(&self.cache, Some(digest))?;
                return Ok(entry);
            }
        }
        Err(Error::new(
            ErrorKind::Integrity,
            format!("{} does not keep what is written to it", target.display()),
        ))
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        // After a rename there is nothing left; after a failure a leftover is removed a day later at the latest.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes a folder so that nobody ever sees half of it.
pub(super) fn discard(cache: &Cache, folder: &Path) -> Result<()> {
    let grave = cache.temporary().join(Uuid::new_v4().simple().to_string());
    match fs::rename(folder, &grave) {
        Ok(()) => fs::remove_dir_all(&grave).map_err(|e| Error::io("remove", &grave, e)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io("remove", folder, e)),
    }
}

/// Removes what crashed processes left; a failure is left to the next start.
pub(super) fn remove_abandoned(temporary: &Path) {
    let Ok(entries) = fs::read_dir(temporary) else { return };
    for entry in entries.flatten() {
        let age = entry
            .metadata()
            .and_then(|it| it.modified())
            .ok()
            .and_then(|at| SystemTime::now().duration_since(at).ok());
        if age.is_some_and(|age| age > ABANDONED_AFTER) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Brings a folder, what is in it and its name to disk.
fn sync_tree(folder: &Path) -> Result<()> {
    let refused = |e| Error::io("write", folder, e);
    for entry in fs::read_dir(folder).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            sync_file(&path)?;
        }
    }
    sync_dir(folder)?;
    folder.parent().map_or(Ok(()), sync_dir)
}
