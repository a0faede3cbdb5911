//! Storing a file, whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::folder::{refuse_links, resolve};
use crate::disk::{create_dirs, sync_dir, sync_file};
use crate::transfer::{FileWriter, copy};
use crate::{ArtifactPath, Content, Digest, Error, ErrorKind, Overwrite, PutOptions, Result, blocking};

/// Stores a file; `temporary` is where it is written first, if not in the folder of its place.
pub(super) async fn put(
    root: PathBuf,
    path: ArtifactPath,
    content: Content,
    options: PutOptions,
    temporary: Option<PathBuf>,
) -> Result<Digest> {
    let target = resolve(&root, &path);
    let parent = target.parent().unwrap_or(&root).to_owned();
    let (checked, folder) = (path.clone(), parent.clone());
    let (written, file) = blocking(move || {
        refuse_links(&root, &checked)?;
        create_dirs(&folder)?;
        Temporary::create(temporary.as_deref().unwrap_or(&folder))
    })
    .await?;
    let (digest, size) = written.fill(file, content).await?;
    blocking(move || {
        check(&path, digest, size, options)?;
        sync_file(&written.path)?;
        written.publish(&target, options.overwrite)?;
        sync_dir(&parent)?;
        Ok(digest)
    })
    .await
}

/// A file that disappears unless it is published.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn create(folder: &Path) -> Result<(Self, File)> {
        let path = folder.join(format!(".mt-{}.tmp", Uuid::new_v4().simple()));
        let file = File::create_new(&path).map_err(|e| Error::io("create", &path, e))?;
        Ok((Self { path }, file))
    }

    /// Writes and hashes.
    async fn fill(&self, file: File, content: Content) -> Result<(Digest, u64)> {
        match content {
            Content::Memory(bytes) => {
                let mut writer = FileWriter::new(file, self.path.clone())?;
                writer.write(bytes).await?;
                writer.finish().await
            }
            Content::File(source) => {
                let from = tokio::fs::File::open(&source).await.map_err(|e| Error::io("read", &source, e))?;
                copy(from.into_std().await, file, self.path.clone(), |_| Ok(())).await
            }
        }
    }

    fn publish(&self, target: &Path, overwrite: Overwrite) -> Result<()> {
        let moved = match overwrite {
            Overwrite::Replace => fs::rename(&self.path, target),
            // Unlike a rename, a link never takes the place of a file.
            Overwrite::Refuse | Overwrite::SeenAbsent => fs::hard_link(&self.path, target),
        };
        moved.map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => {
                Error::new(ErrorKind::AlreadyExists, format!("{} exists already", target.display()))
            }
            _ => Error::io("write", target, e),
        })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing left; what cannot be removed now is removed when the store is opened next.
        let _ = fs::remove_file(&self.path);
    }
}

fn check(path: &ArtifactPath, digest: Digest, size: u64, options: PutOptions) -> Result<()> {
    match (options.size, options.blake3) {
        (Some(promised), _) if promised != size => Err(Error::integrity(format!(
            "{path} has {size} bytes and should have {promised}: nothing was stored"
        ))),
        (_, Some(promised)) if promised != digest => Err(Error::integrity(format!(
            "{path} has the checksum {digest} and should have {promised}: nothing was stored"
        ))),
        _ => Ok(()),
    }
}
