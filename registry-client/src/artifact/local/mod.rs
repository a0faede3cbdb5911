//! Artifacts in local folders.
//!
//! A file is written beside its place, hashed on the way, brought to disk, renamed, and its folder brought to disk: after a crash
//! or a power loss it is there whole, or not there.

mod folder;
mod lock;
mod put;
mod read;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::{
    ArtifactEntry, ArtifactPath, ArtifactStore, BoxFuture, ByteStream, Claim, Content, Digest, Error,
    ErrorKind, Location, PutOptions, Result, blocking,
};

/// Files that are being written, below the store's own folder.
const TEMPORARY: &str = ".tmp";

/// Lock files of publications, below the store's own folder.
const LOCKS: &str = ".locks";

/// Reads and writes any local [`Location`]; keeps its temporary files and locks in a folder of its own.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use martello_registry_client::{ArtifactStore, LocalArtifacts, Location, PutOptions};
///
/// let dir = tempfile::tempdir()?;
/// let store = LocalArtifacts::open(dir.path()).await?;
/// let root = Location::file(dir.path().join("run"))?;
/// store.put(&root, &"model/MLmodel".parse()?, "flavors: {}".into(), PutOptions::default()).await?;
/// assert_eq!(store.list(&root, None).await?.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct LocalArtifacts {
    folder: Arc<Path>,
}

impl LocalArtifacts {
    /// How long nobody must have written to a temporary file before it counts as left behind by a crash.
    pub const ABANDONED_AFTER: Duration = Duration::from_secs(60 * 60);

    /// Opens a store in a folder, making it when it is not there, and deletes what a crash left of temporary files and of deleted folders.
    ///
    /// # Errors
    ///
    /// `PermissionDenied`, `StorageFull` or `Unavailable` when the folder cannot be used.
    pub async fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let folder: Arc<Path> = std::path::absolute(folder).map_err(|e| Error::io("find", folder, e))?.into();
        let store = Self { folder };
        let opened = store.clone();
        blocking(move || folder::prepare(&opened.temporary(), &opened.locks(), Self::ABANDONED_AFTER))
            .await?;
        Ok(store)
    }

    /// Takes the right to decide about a model, waiting for whoever has it.
    pub(crate) async fn claim_model(&self, name: &str) -> Result<Claim> {
        lock::claim_model(&self.locks(), name).await
    }

    fn temporary(&self) -> PathBuf {
        Self::temporary_in(&self.folder)
    }

    /// Returns where the store in this folder keeps what is not whole; what is left there is deleted when it is opened.
    pub(crate) fn temporary_in(folder: &Path) -> PathBuf {
        folder.join(TEMPORARY)
    }

    fn locks(&self) -> PathBuf {
        self.folder.join(LOCKS)
    }

    /// Returns where to write a file before it is renamed: the same file system as its place, so below the store's own folder only
    /// if the place is there, too.
    fn temporary_for(&self, root: &Path) -> Option<PathBuf> {
        root.starts_with(&self.folder).then(|| self.temporary())
    }
}

impl ArtifactStore for LocalArtifacts {
    fn put<'a>(
        &'a self,
        root: &'a Location,
        path: &'a ArtifactPath,
        content: Content,
        options: PutOptions,
    ) -> BoxFuture<'a, Result<Digest>> {
        Box::pin(async move {
            let (root, path) = (local(root)?.to_owned(), path.clone());
            let temporary = self.temporary_for(&root);
            put::put(root, path, content, options, temporary).await
        })
    }

    fn get<'a>(&'a self, root: &'a Location, path: &'a ArtifactPath) -> BoxFuture<'a, Result<ByteStream>> {
        Box::pin(async move {
            let (root, path) = (local(root)?.to_owned(), path.clone());
            let (file, path) = blocking(move || read::open(&root, &path)).await?;
            read::stream(file, path)
        })
    }

    fn local_file<'a>(
        &'a self,
        root: &'a Location,
        path: &'a ArtifactPath,
    ) -> BoxFuture<'a, Result<Option<File>>> {
        Box::pin(async move {
            let (root, path) = (local(root)?.to_owned(), path.clone());
            blocking(move || read::open(&root, &path)).await.map(|(file, _)| Some(file))
        })
    }

    fn list<'a>(
        &'a self,
        root: &'a Location,
        folder: Option<&'a ArtifactPath>,
    ) -> BoxFuture<'a, Result<Vec<ArtifactEntry>>> {
        Box::pin(async move {
            let (root, folder) = (local(root)?.to_owned(), folder.cloned());
            blocking(move || folder::list(&root, folder.as_ref())).await
        })
    }

    fn stat<'a>(
        &'a self,
        root: &'a Location,
        path: &'a ArtifactPath,
    ) -> BoxFuture<'a, Result<ArtifactEntry>> {
        Box::pin(async move {
            let (root, path) = (local(root)?.to_owned(), path.clone());
            blocking(move || folder::stat(&root, &path)).await
        })
    }

    fn delete_prefix<'a>(&'a self, root: &'a Location, path: &'a ArtifactPath) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let (root, path) = (local(root)?.to_owned(), path.clone());
            blocking(move || folder::delete(&root, &path)).await
        })
    }

    fn claim<'a>(&'a self, root: &'a Location) -> BoxFuture<'a, Result<Claim>> {
        Box::pin(async move {
            local(root)?;
            lock::claim(&self.locks(), root).await
        })
    }
}

fn local(location: &Location) -> Result<&Path> {
    match location {
        Location::File(path) => Ok(path),
        other => Err(Error::new(
            ErrorKind::Unsupported,
            format!("{other} is not a local folder: an embedded registry reaches local folders only"),
        )),
    }
}
