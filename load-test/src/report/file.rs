//! Files that say so when they could not be written.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

/// Writes all of a file, or says which one could not be written.
pub(crate) fn write_file(path: &Path, content: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(content)?;
        sync(&file)
    };
    write().map_err(|error| unwritten(path, error))
}

/// The same for a value as JSON that people can read too.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec_pretty(value).map_err(|error| unwritten(path, error))?;
    write_file(path, &text)
}

/// A disk that is full says so here at the latest. Pipes and devices have nothing to bring to a disk.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

fn unwritten(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Io, format!("report cannot be written to {}", path.display())).caused_by(error)
}
