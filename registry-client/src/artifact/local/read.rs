//! Reading a file piece by piece.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::folder::{refuse_links, resolve};
use crate::transfer::FilePieces;
use crate::{ArtifactPath, ByteStream, Error, Result};

pub(super) fn open(root: &Path, path: &ArtifactPath) -> Result<(File, PathBuf)> {
    refuse_links(root, path)?;
    let target = resolve(root, path);
    let refused = |e| Error::io("read", &target, e);
    if !fs::symlink_metadata(&target).map_err(refused)?.is_file() {
        return Err(Error::not_found(format!("{} is not a file", target.display())));
    }
    let file = File::open(&target).map_err(refused)?;
    Ok((file, target))
}

pub(super) fn stream(file: File, path: PathBuf) -> Result<ByteStream> {
    Ok(Box::pin(FilePieces::read(file, path)?))
}
