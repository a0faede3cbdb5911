//! What a URI last meant, per registry.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Cache;
use crate::{Digest, Error, ModelUri, ModelVersion, Result, TrackingUri, blocking};

/// What is remembered of a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// What it last meant.
    Meaning,
    /// The last thing that it meant and that was seen to work.
    Good,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Memory {
    pub(super) version: Option<ModelVersion>,
    pub(super) digest: Digest,
}

pub(super) async fn read(
    cache: &Cache,
    registry: &TrackingUri,
    uri: &ModelUri,
    note: Note,
) -> Result<Option<Memory>> {
    let path = path(cache, registry, uri, note);
    blocking(move || match fs::read(&path) {
        // A note that cannot be read is worth as much as none.
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read", &path, e)),
    })
    .await
}

pub(super) async fn write(
    cache: &Cache,
    registry: &TrackingUri,
    uri: &ModelUri,
    note: Note,
    memory: Memory,
) -> Result<()> {
    let path = path(cache, registry, uri, note);
    let temporary = cache.temporary().join(Uuid::new_v4().simple().to_string());
    blocking(move || {
        let bytes = serde_json::to_vec(&memory).expect("a note holds only texts and numbers");
        if fs::read(&path).is_ok_and(|found| found == bytes) {
            return Ok(());
        }
        replace(&temporary, &path, &bytes)
    })
    .await
}

fn replace(temporary: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    let written = fs::write(temporary, bytes).map_err(|e| Error::io("write", temporary, e));
    let replaced =
        written.and_then(|()| fs::rename(temporary, path).map_err(|e| Error::io("write", path, e)));
    if replaced.is_err() {
        let _ = fs::remove_file(temporary);
    }
    replaced
}

fn path(cache: &Cache, registry: &TrackingUri, uri: &ModelUri, note: Note) -> PathBuf {
    let key = Digest::of(format!("{}\n{uri}", registry.absolute()).as_bytes());
    cache.uris().join(match note {
        Note::Meaning => format!("{key}.json"),
        Note::Good => format!("{key}.good.json"),
    })
}
