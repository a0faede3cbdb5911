//! Storing a file, whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::folder::{refuse_links, resolve};
use crate::digest::Hasher;
use crate::disk::{create_dirs, sync_dir};
use crate::{ArtifactPath, Content, Digest, Error, ErrorKind, Overwrite, PutOptions, Result};

/// How much is copied at once.
const PIECE: usize = 64 << 10;

pub(super) fn put(
    root: &Path,
    path: &ArtifactPath,
    content: &Content,
    options: PutOptions,
    temporary: Option<&Path>,
) -> Result<Digest> {
    refuse_links(root, path)?;
    let target = resolve(root, path);
    let parent = target.parent().unwrap_or(root);
    create_dirs(parent)?;
    let written = Temporary::create(temporary.unwrap_or(parent))?;
    let (digest, size) = written.fill(content)?;
    check(path, digest, size, options)?;
    written.publish(&target, options.overwrite)?;
    sync_dir(parent)?;
    Ok(digest)
}

/// A file that disappears unless it is published.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn create(folder: &Path) -> Result<Self> {
        let path = folder.join(format!(".mt-{}.tmp", Uuid::new_v4().simple()));
        File::create_new(&path).map_err(|e| Error::io("create", &path, e))?;
        Ok(Self { path })
    }

    /// Writes, hashes, and brings to disk.
    fn fill(&self, content: &Content) -> Result<(Digest, u64)> {
        let refused = |e| Error::io("write", &self.path, e);
        let mut file = File::options().write(true).open(&self.path).map_err(refused)?;
        let mut hasher = Hasher::default();
        match content {
            Content::Memory(bytes) => {
                hasher.update(bytes);
                file.write_all(bytes).map_err(refused)?;
            }
            Content::File(source) => {
                let mut from = File::open(source).map_err(|e| Error::io("read", source, e))?;
                copy(&mut from, source, &mut hasher, |piece| file.write_all(piece).map_err(refused))?;
            }
        }
        file.sync_all().map_err(refused)?;
        Ok(hasher.finish())
    }

    fn publish(&self, target: &Path, overwrite: Overwrite) -> Result<()> {
        let moved = match overwrite {
            Overwrite::Replace => fs::rename(&self.path, target),
            // Unlike a rename, a link never takes the place of a file.
            Overwrite::Refuse => fs::hard_link(&self.path, target),
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

fn copy(
    from: &mut File,
    source: &Path,
    hasher: &mut Hasher,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                hasher.update(&piece[..read]);
                write(&piece[..read])?;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io("read", source, e)),
        }
    }
}

fn check(path: &ArtifactPath, digest: Digest, size: u64, options: PutOptions) -> Result<()> {
    match (options.size, options.sha256) {
        (Some(promised), _) if promised != size => Err(Error::integrity(format!(
            "{path} has {size} bytes and should have {promised}: nothing was stored"
        ))),
        (_, Some(promised)) if promised != digest => Err(Error::integrity(format!(
            "{path} has the checksum {digest} and should have {promised}: nothing was stored"
        ))),
        _ => Ok(()),
    }
}
