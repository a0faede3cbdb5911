//! Copying a model out of the cache.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::entry::{Entry, changed, open_regular};
use crate::digest::{Hasher, PIECE};
use crate::{Error, ErrorKind, ManifestFile, Result};

/// Copies all files; `copied` is told of each piece.
pub(super) fn copy(entry: &Entry, target: &Path, copied: &mut dyn FnMut(u64)) -> Result<usize> {
    let exists = || Error::new(ErrorKind::AlreadyExists, format!("{} exists already", target.display()));
    if target.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let beside = Beside::create(target)?;
    for listed in entry.manifest.files() {
        copy_file(&entry.model_folder(), &beside.folder, listed, copied)?;
    }
    // A rename replaces an empty folder that somebody has made meanwhile, and no other.
    fs::rename(&beside.folder, target).map_err(|e| match e.kind() {
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            exists()
        }
        _ => Error::io("write", target, e),
    })?;
    Ok(entry.manifest.files().len())
}

/// A folder beside the target that disappears unless it is renamed.
struct Beside {
    folder: PathBuf,
}

impl Beside {
    fn create(target: &Path) -> Result<Self> {
        let target = std::path::absolute(target).map_err(|e| Error::io("find", target, e))?;
        let parent = target.parent().unwrap_or(&target);
        let folder = parent.join(format!(".mt-{}.tmp", Uuid::new_v4().simple()));
        fs::create_dir_all(parent)
            .and_then(|()| fs::create_dir(&folder))
            .map_err(|e| Error::io("create", &target, e))?;
        Ok(Self { folder })
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // After the rename there is nothing left.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn copy_file(model: &Path, folder: &Path, listed: &ManifestFile, copied: &mut dyn FnMut(u64)) -> Result<()> {
    let (from, to) = (model.join(listed.path.as_str()), folder.join(listed.path.as_str()));
    let refused = |e| Error::io("write", &to, e);
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(refused)?;
    }
    let (mut source, mut copy) = (open_regular(&from)?, File::create_new(&to).map_err(refused)?);
    let (mut hasher, mut piece) = (Hasher::default(), vec![0; PIECE]);
    loop {
        let read = source.read(&mut piece).map_err(|e| Error::io("read", &from, e))?;
        if read == 0 {
            break;
        }
        hasher.update(&piece[..read]);
        copy.write_all(&piece[..read]).map_err(refused)?;
        copied(read as u64);
    }
    if hasher.finish() == (listed.blake3, listed.size) { Ok(()) } else { Err(changed(&from)) }
}
