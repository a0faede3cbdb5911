//! A model on the local disk.

use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::copy;
use super::entry::{self, Entry};
use crate::{Digest, FetchProgress, ModelVersion, Result, blocking};

/// A model folder in the cache; as long as this value lives, the folder is not evicted.
#[derive(Debug, Clone)]
pub struct FetchedModel {
    /// The model folder. Its files must not be changed.
    pub folder: PathBuf,
    /// The registered version; `None` when the URI named a run or a folder.
    pub version: Option<ModelVersion>,
    /// The checksum of the manifest: equal digests, equal files.
    pub digest: Digest,
    /// Whether the registry said so just now.
    pub freshness: Freshness,
    entry: Entry,
}

/// Where the knowledge of what a URI means comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// From the registry.
    Current,
    /// From the cache, since the registry could not be reached: an alias may have moved in between.
    Remembered,
}

impl FetchedModel {
    pub(crate) fn new(entry: Entry, version: Option<ModelVersion>, freshness: Freshness) -> Self {
        Self { folder: entry.model_folder(), version, digest: entry.digest, freshness, entry }
    }

    /// Reads every file, by path, and checks each once more.
    ///
    /// # Errors
    ///
    /// `Integrity` when a file was changed or removed since it was fetched.
    pub async fn read_files(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let entry = self.entry.clone();
        blocking(move || entry::read_files(&entry)).await
    }

    /// Copies every file into a new folder, checking each on the way, and returns how many there are. Memory does not grow with them.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` when there is something at `folder`, `Integrity` when a file was changed or removed since it was fetched,
    /// `StorageFull` or `PermissionDenied` from the file system. Nothing is left at `folder` then.
    pub async fn copy_to(&self, folder: impl AsRef<Path>) -> Result<usize> {
        self.copy_with(folder, &()).await
    }

    /// Does the same, and tells somebody how far it is.
    ///
    /// # Errors
    ///
    /// Those of [`copy_to`](Self::copy_to).
    pub async fn copy_with(&self, folder: impl AsRef<Path>, progress: &dyn FetchProgress) -> Result<usize> {
        let (entry, folder) = (self.entry.clone(), folder.as_ref().to_owned());
        progress.started(entry.manifest.total_size());
        let (copied, mut pieces) = mpsc::unbounded_channel();
        let copying = blocking(move || {
            copy::copy(&entry, &folder, &mut |len| {
                // Nobody listens any more: then nobody misses it.
                let _ = copied.send(len);
            })
        });
        let telling = async {
            while let Some(len) = pieces.recv().await {
                progress.advanced(len);
            }
        };
        tokio::join!(copying, telling).0
    }
}
