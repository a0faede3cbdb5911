//! Keeping the cache within its size: the least recently used models go first, never those in use.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::SystemTime;

use super::{Cache, download};
use crate::{Digest, Error, MANIFEST_FILE, Manifest, Result};

struct Candidate {
    digest: Digest,
    folder: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// A model in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedModel {
    /// The checksum of its manifest.
    pub digest: Digest,
    /// The size of its files.
    pub bytes: u64,
}

/// Returns what would have to go for the models to fit, nobody using it.
pub(super) fn excess(cache: &Cache) -> Result<Vec<CachedModel>> {
    let (mut total, candidates) = by_use(cache)?;
    let mut excess = Vec::new();
    for Candidate { digest, bytes, .. } in candidates {
        if total <= cache.max_bytes {
            break;
        }
        total = total.saturating_sub(bytes);
        excess.push(CachedModel { digest, bytes });
    }
    Ok(excess)
}

/// Evicts until the models fit, keeping the one that was just added; returns what went.
pub(super) fn make_room(cache: &Cache, keep: Option<Digest>) -> Result<Vec<CachedModel>> {
    let (mut total, candidates) = by_use(cache)?;
    let mut evicted = Vec::new();
    for candidate in candidates.into_iter().filter(|it| Some(it.digest) != keep) {
        if total <= cache.max_bytes {
            break;
        }
        if evict(cache, &candidate)? {
            total = total.saturating_sub(candidate.bytes);
            evicted.push(CachedModel { digest: candidate.digest, bytes: candidate.bytes });
        }
    }
    Ok(evicted)
}

/// Returns the size of all models, and the models, the least recently used first.
fn by_use(cache: &Cache) -> Result<(u64, Vec<Candidate>)> {
    let mut candidates = candidates(cache)?;
    candidates.sort_by_key(|it| it.used);
    Ok((candidates.iter().fold(0u64, |sum, it| sum.saturating_add(it.bytes)), candidates))
}

fn candidates(cache: &Cache) -> Result<Vec<Candidate>> {
    let models = cache.models();
    let mut found = Vec::new();
    for entry in fs::read_dir(&models).map_err(|e| Error::io("read", &models, e))?.flatten() {
        let Some(digest) = entry.file_name().to_str().and_then(|name| name.parse::<Digest>().ok()) else {
            continue;
        };
        let folder = entry.path();
        // An entry without a readable manifest cannot be loaded; its size does not matter, it is the first to go.
        let manifest =
            fs::read(folder.join(MANIFEST_FILE)).ok().and_then(|bytes| Manifest::parse(&bytes).ok());
        let used = fs::metadata(cache.lock_file(digest))
            .and_then(|it| it.modified())
            .unwrap_or(SystemTime::UNIX_EPOCH);
        let bytes = manifest.map_or(0, |manifest| manifest.total_size());
        found.push(Candidate { digest, folder, bytes, used });
    }
    Ok(found)
}

/// Removes the entry unless somebody uses it. The lock file stays: removing it would let two processes lock two files of one name.
fn evict(cache: &Cache, candidate: &Candidate) -> Result<bool> {
    let path = cache.lock_file(candidate.digest);
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| Error::io("lock", &path, e))?;
    if lock.try_lock().is_err() {
        return Ok(false);
    }
    download::discard(cache, &candidate.folder)?;
    tracing::debug!(digest = %candidate.digest, bytes = candidate.bytes, "evicted a model from the cache");
    Ok(true)
}
