//! What it takes for a file to be there after a power loss: the folder that names it has to be on disk as well.

use std::fs::{self, File};
use std::path::Path;

use crate::{Error, Result};

/// Makes a folder and the folders above it; each new one is on disk when this returns.
pub(crate) fn create_dirs(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else { return Ok(()) };
    create_dirs(parent)?;
    match fs::create_dir(folder) {
        Ok(()) => sync_dir(parent),
        Err(_) if folder.is_dir() => Ok(()),
        Err(e) => Err(Error::io("create the folder", folder, e)),
    }
}

/// Brings the names in a folder to disk.
pub(crate) fn sync_dir(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|it| it.sync_all()).map_err(|e| Error::io("write", folder, e))
}

/// Brings a file's content to disk.
pub(crate) fn sync_file(file: &Path) -> Result<()> {
    File::open(file).and_then(|it| it.sync_all()).map_err(|e| Error::io("write", file, e))
}
