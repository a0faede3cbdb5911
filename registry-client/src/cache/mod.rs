//! Models on the local disk, named by what they contain.
//!
//! ```text
//! models/<manifest blake3>/manifest.json   what the entry must hold
//! models/<manifest blake3>/model/...       the model folder
//! locks/<manifest blake3>                  shared lock: in use; its time: last used
//! uris/<blake3 of registry and uri>.json   what a uri last meant; .good.json: and what of that was seen to work
//! tmp/<random>/                            downloads that are not complete
//! ```
//! An entry appears by one rename, so it is whole or absent; it is checked again whenever it is used, so a damaged one is
//! fetched anew. Several processes may share one cache.

mod copy;
mod download;
mod entry;
mod evict;
mod memory;
mod model;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use download::Download;
pub(crate) use entry::Entry;
pub use evict::CachedModel;
pub use model::{FetchedModel, Freshness};

use self::memory::Note;
use crate::{Digest, Error, ErrorKind, ModelUri, ModelVersion, Result, TrackingUri, blocking};

/// A local cache of models: verified, bounded, and good while the registry is down.
///
/// A cheap handle; clones share one folder.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use martello_registry_client::{Cache, NewRun, Publication, Registry};
///
/// let dir = tempfile::tempdir()?;
/// let registry = Registry::embedded(dir.path().join("registry")).await?;
/// let run = registry.tracking().create_run(NewRun::in_experiment("0")).await?;
/// let files = vec![("weights.bin".to_owned(), vec![1, 2, 3])];
/// registry.publish(Publication::of("fraud", &run, files)).await?;
///
/// let cache = Cache::open(dir.path().join("cache"))?.with_max_bytes(1 << 30);
/// let model = registry.fetch(&"models:/fraud/1".parse()?, &cache).await?;
/// assert_eq!(model.read_files().await?[0].1, [1, 2, 3]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Cache {
    dir: Arc<Path>,
    max_bytes: u64,
}

impl Cache {
    /// What the models in a cache may hold together unless said otherwise: dozens of versions of a usual model, and little of a
    /// usual disk.
    pub const DEFAULT_MAX_BYTES: u64 = 10 << 30;

    /// Opens the cache in a folder, making it when it is not there, and removes what crashed downloads left long ago.
    ///
    /// # Errors
    ///
    /// `PermissionDenied`, `StorageFull` or `Unavailable` when the folder cannot be used.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = std::path::absolute(dir.as_ref()).map_err(|e| Error::io("find", dir.as_ref(), e))?;
        let cache = Self { dir: dir.into(), max_bytes: Self::DEFAULT_MAX_BYTES };
        for folder in [cache.models(), cache.locks(), cache.uris(), cache.temporary()] {
            std::fs::create_dir_all(&folder).map_err(|e| Error::io("create the cache folder", &folder, e))?;
        }
        download::remove_abandoned(&cache.temporary());
        Ok(cache)
    }

    /// Limits what the models hold together, in bytes. Beyond it, those that were not used for the longest time go, except the
    /// ones in use: those that a [`FetchedModel`] still holds.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Returns the folder of the cache, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Lists the models beyond [the limit](Self::with_max_bytes), which the next addition would evict unless they are in use.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` or `Unavailable` when the folder cannot be read.
    pub async fn excess(&self) -> Result<Vec<CachedModel>> {
        let cache = self.clone();
        blocking(move || evict::excess(&cache)).await
    }

    /// Evicts the models beyond [the limit](Self::with_max_bytes) now, except those in use; returns what went.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` or `Unavailable` when the folder cannot be changed.
    pub async fn trim(&self) -> Result<Vec<CachedModel>> {
        let cache = self.clone();
        blocking(move || evict::make_room(&cache, None)).await
    }

    /// Returns what a URI meant when it was last fetched from that registry, without asking anybody. A replica that starts while
    /// the registry is down serves this.
    ///
    /// # Errors
    ///
    /// `NotFound` when it was never fetched or has been evicted.
    pub async fn recall(&self, registry: &TrackingUri, uri: &ModelUri) -> Result<FetchedModel> {
        self.recall_note(registry, uri, Note::Meaning).await
    }

    /// Notes that what a URI means was seen to work: the URI may come to mean something that does not, and
    /// [`recall_good`](Self::recall_good) still finds this. A failure is only logged.
    pub async fn vouch(&self, registry: &TrackingUri, uri: &ModelUri, model: &FetchedModel) {
        self.write_note(registry, uri, Note::Good, model.version.as_ref(), model.digest).await;
    }

    /// Returns what was last [vouched for](Self::vouch), without asking anybody. A replica that is started while its stage points
    /// to a broken version serves this.
    ///
    /// # Errors
    ///
    /// `NotFound` when nothing was, or it has been evicted.
    pub async fn recall_good(&self, registry: &TrackingUri, uri: &ModelUri) -> Result<FetchedModel> {
        self.recall_note(registry, uri, Note::Good).await
    }

    async fn recall_note(&self, registry: &TrackingUri, uri: &ModelUri, note: Note) -> Result<FetchedModel> {
        let missing = || Error::not_found(format!("{uri} is not in the cache {}", self.dir.display()));
        let memory = memory::read(self, registry, uri, note).await?.ok_or_else(missing)?;
        let entry = self.load(memory.digest).await?.ok_or_else(missing)?;
        Ok(FetchedModel::new(entry, memory.version, Freshness::Remembered))
    }

    /// Notes what a URI means now. A failure is no reason to fail the fetch: it only makes the next outage felt.
    pub(crate) async fn remember(
        &self,
        registry: &TrackingUri,
        uri: &ModelUri,
        version: Option<&ModelVersion>,
        digest: Digest,
    ) {
        self.write_note(registry, uri, Note::Meaning, version, digest).await;
    }

    async fn write_note(
        &self,
        registry: &TrackingUri,
        uri: &ModelUri,
        note: Note,
        version: Option<&ModelVersion>,
        digest: Digest,
    ) {
        let memory = memory::Memory { version: version.cloned(), digest };
        if let Err(error) = memory::write(self, registry, uri, note, memory).await {
            tracing::warn!(%uri, %error, "cannot note what the uri means: it cannot be served while the registry is down");
        }
    }

    /// Returns the entry with this content, after checking every byte; a damaged one is removed and `None` returned.
    pub(crate) async fn load(&self, digest: Digest) -> Result<Option<Entry>> {
        let cache = self.clone();
        blocking(move || entry::load(&cache, digest)).await
    }

    /// Starts a download, invisible until it is finished.
    pub(crate) async fn begin(&self) -> Result<Download> {
        Download::begin(self.clone()).await
    }

    /// Refuses a model that could never fit.
    pub(crate) fn check_room(&self, bytes: u64) -> Result<()> {
        if bytes <= self.max_bytes {
            return Ok(());
        }
        let message = format!(
            "the model has {bytes} bytes and the cache {} holds {}: raise its limit",
            self.dir.display(),
            self.max_bytes
        );
        Err(Error::new(ErrorKind::StorageFull, message))
    }

    fn models(&self) -> PathBuf {
        self.dir.join("models")
    }

    fn locks(&self) -> PathBuf {
        self.dir.join("locks")
    }

    fn uris(&self) -> PathBuf {
        self.dir.join("uris")
    }

    fn temporary(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    fn lock_file(&self, digest: Digest) -> PathBuf {
        self.locks().join(digest.to_string())
    }

    fn entry_folder(&self, digest: Digest) -> PathBuf {
        self.models().join(digest.to_string())
    }
}
