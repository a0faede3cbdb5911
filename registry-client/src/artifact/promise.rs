//! What a caller promises about a file, checked before a byte of it leaves.

use std::fs::File;
use std::path::Path;

use crate::{ArtifactPath, Content, Digest, Error, PutOptions, Result, blocking, digest};

/// A file whose size is as promised, and whose checksum is if one was promised.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) size: u64,
    /// Absent when it was not promised and would need another reading.
    pub(super) blake3: Option<Digest>,
}

/// Checks content against what is promised about it.
pub(super) async fn keep(path: &ArtifactPath, content: &Content, options: &PutOptions) -> Result<Kept> {
    let size = match content {
        Content::Memory(bytes) => bytes.len() as u64,
        Content::File(file) => tokio::fs::metadata(file).await.map_err(|e| Error::io("read", file, e))?.len(),
    };
    if options.size.is_some_and(|promised| promised != size) {
        return Err(Error::integrity(format!("{path} has {size} bytes and not as many as promised")));
    }
    let blake3 = match (content, options.blake3) {
        (Content::Memory(bytes), _) => Some(Digest::of(bytes)),
        (Content::File(file), Some(_)) => Some(digest_of_file(file).await?),
        (Content::File(_), None) => None,
    };
    if options.blake3.is_some() && options.blake3 != blake3 {
        return Err(Error::integrity(format!("{path} does not have the checksum that was promised")));
    }
    Ok(Kept { size, blake3 })
}

async fn digest_of_file(path: &Path) -> Result<Digest> {
    let path = path.to_owned();
    blocking(move || {
        let mut file = File::open(&path).map_err(|e| Error::io("read", &path, e))?;
        Ok(digest::of_file(&mut file, &path)?.0)
    })
    .await
}
