//! Which file a path names: a database that was deleted or replaced is another one, though its open connections go on.

use std::io;
use std::path::Path;

/// What tells two files apart while both exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    file: u64,
}

impl Identity {
    /// Returns which file stands at the path; `None` when there is none.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self::new(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    #[cfg(unix)]
    fn new(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: metadata.dev(), file: metadata.ino() }
    }

    /// An open database cannot be deleted or replaced here.
    #[cfg(not(unix))]
    fn new(_: &std::fs::Metadata) -> Self {
        Self { device: 0, file: 0 }
    }
}
