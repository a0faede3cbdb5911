//! Files that belong to runs and models.

use std::any::Any;
use std::fmt;
use std::fs::File;

use super::{BoxFuture, ByteStream, Content};
use crate::{ArtifactPath, Digest, Location, Result};

/// Stores and reads artifacts below any [`Location`] that the backend's records name.
///
/// A file becomes visible whole or not at all. Paths are checked by their type; a store also refuses to follow a symbolic link
/// that lies below the location.
pub trait ArtifactStore: Send + Sync + fmt::Debug {
    /// Stores a file and returns its checksum, computed from the bytes that were sent.
    ///
    /// # Errors
    ///
    /// `Integrity` when `options` promise another size or checksum, `AlreadyExists` when nothing may be overwritten and the file
    /// is there: the store is unchanged in both cases.
    fn put<'a>(
        &'a self,
        root: &'a Location,
        path: &'a ArtifactPath,
        content: Content,
        options: PutOptions,
    ) -> BoxFuture<'a, Result<Digest>>;

    /// Reads a file piece by piece.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such file.
    fn get<'a>(&'a self, root: &'a Location, path: &'a ArtifactPath) -> BoxFuture<'a, Result<ByteStream>>;

    /// Opens a file that lies on this machine, for whoever wants a copy of it: the kernel makes one with less work than a stream. Returns
    /// `None` where files do not.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such file.
    fn local_file<'a>(
        &'a self,
        root: &'a Location,
        path: &'a ArtifactPath,
    ) -> BoxFuture<'a, Result<Option<File>>> {
        let _ = (root, path);
        Box::pin(async { Ok(None) })
    }

    /// Lists what lies directly below a folder (`None`: below the location itself), by path; nothing when there is no such folder.
    fn list<'a>(
        &'a self,
        root: &'a Location,
        folder: Option<&'a ArtifactPath>,
    ) -> BoxFuture<'a, Result<Vec<ArtifactEntry>>>;

    /// Looks at one file or folder.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is none.
    fn stat<'a>(&'a self, root: &'a Location, path: &'a ArtifactPath)
    -> BoxFuture<'a, Result<ArtifactEntry>>;

    /// Deletes a file, or a folder with everything in it; nothing happens when there is none.
    fn delete_prefix<'a>(&'a self, root: &'a Location, path: &'a ArtifactPath) -> BoxFuture<'a, Result<()>>;

    /// Takes the right to publish below a location, waiting for whoever has it; it ends when the claim is dropped or the process
    /// dies.
    ///
    /// A store that cannot exclude other publishers hands out an empty claim: then each run must have one publisher.
    ///
    /// # Errors
    ///
    /// `Conflict` when somebody else keeps it for too long.
    fn claim<'a>(&'a self, root: &'a Location) -> BoxFuture<'a, Result<Claim>> {
        let _ = root;
        Box::pin(async { Ok(Claim::default()) })
    }
}

/// What is promised about, and wished for, a file to store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// The size in bytes; checked when given.
    pub size: Option<u64>,
    /// The checksum; checked when given.
    pub blake3: Option<Digest>,
    /// Whether a file with this path may be replaced.
    pub overwrite: Overwrite,
}

/// Whether a file may be replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Overwrite {
    /// The new file takes the place of the old one.
    #[default]
    Replace,
    /// The old one stays and the call fails. Stores without conditional writes check first and can be raced.
    Refuse,
    /// There is none, as the caller has just seen: the same, but that stores without conditional writes do not look once more.
    SeenAbsent,
}

/// A file or a folder in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactEntry {
    /// Relative to the location that was asked about.
    pub path: ArtifactPath,
    /// Which of the two.
    pub kind: ArtifactKind,
}

/// File or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactKind {
    /// A file and its size in bytes; 0 where a store does not tell.
    File(u64),
    /// A folder.
    Folder,
}

/// A right that others have to wait for; dropping it gives it back.
#[derive(Default)]
pub struct Claim(Option<Box<dyn Any + Send + Sync>>);

impl Claim {
    /// Returns a claim that lasts as long as `guard` lives.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Some(Box::new(guard)))
    }

    /// Returns whether nobody else can have the same claim now.
    pub fn is_exclusive(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("exclusive", &self.is_exclusive()).finish()
    }
}
