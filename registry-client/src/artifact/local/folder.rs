//! Looking at folders, and tidying them. A symbolic link below a location is never followed: it could lead out of it.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::disk::{create_dirs, sync_dir};
use crate::{ArtifactEntry, ArtifactKind, ArtifactPath, Error, Result};

pub(super) fn resolve(root: &Path, path: &ArtifactPath) -> PathBuf {
    root.join(path.as_str())
}

/// Makes the store's own folders and deletes temporary files that nobody has written to for so long.
pub(super) fn prepare(temporary: &Path, locks: &Path, abandoned: Duration) -> Result<()> {
    create_dirs(temporary)?;
    create_dirs(locks)?;
    for entry in fs::read_dir(temporary).map_err(|e| Error::io("read", temporary, e))?.flatten() {
        let modified = entry.metadata().and_then(|it| it.modified()).ok();
        let age = modified.and_then(|at| SystemTime::now().duration_since(at).ok());
        if age.is_some_and(|age| age > abandoned) {
            // What cannot be deleted now harms nobody and is tried again next time.
            let _ = match entry.file_type() {
                Ok(kind) if kind.is_dir() => fs::remove_dir_all(entry.path()),
                _ => fs::remove_file(entry.path()),
            };
        }
    }
    Ok(())
}

/// Fails if a part of the path, as far as it exists, is a symbolic link.
pub(super) fn refuse_links(root: &Path, path: &ArtifactPath) -> Result<()> {
    let mut below = root.to_owned();
    for part in path.parts() {
        below.push(part);
        match fs::symlink_metadata(&below) {
            Ok(metadata) if metadata.is_symlink() => return Err(link(&below)),
            Ok(_) => {}
            Err(e) if is_missing(&e) => return Ok(()),
            Err(e) => return Err(Error::io("look at", &below, e)),
        }
    }
    Ok(())
}

pub(super) fn stat(root: &Path, path: &ArtifactPath) -> Result<ArtifactEntry> {
    refuse_links(root, path)?;
    let target = resolve(root, path);
    let metadata = fs::symlink_metadata(&target).map_err(|e| Error::io("look at", &target, e))?;
    Ok(ArtifactEntry { path: path.clone(), kind: kind(&metadata) })
}

pub(super) fn list(root: &Path, folder: Option<&ArtifactPath>) -> Result<Vec<ArtifactEntry>> {
    let target = match folder {
        Some(folder) => {
            refuse_links(root, folder)?;
            resolve(root, folder)
        }
        None => root.to_owned(),
    };
    let entries = match fs::read_dir(&target) {
        Ok(entries) => entries,
        Err(e) if is_missing(&e) => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("list", &target, e)),
    };
    let mut listed = entries
        .map(|entry| {
            entry.map_err(|e| Error::io("list", &target, e)).and_then(|entry| listed(&entry, folder))
        })
        .collect::<Result<Vec<_>>>()?;
    listed.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(listed)
}

pub(super) fn delete(root: &Path, path: &ArtifactPath) -> Result<()> {
    refuse_links(root, path)?;
    let target = resolve(root, path);
    let removed = match fs::symlink_metadata(&target) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&target),
        Ok(_) => fs::remove_file(&target),
        Err(e) => Err(e),
    };
    match removed {
        Ok(()) => target.parent().map_or(Ok(()), sync_dir),
        Err(e) if is_missing(&e) => Ok(()),
        Err(e) => Err(Error::io("delete", &target, e)),
    }
}

pub(super) fn link(path: &Path) -> Error {
    Error::invalid(format!("{} is a symbolic link, which is not followed", path.display()))
}

fn listed(entry: &DirEntry, folder: Option<&ArtifactPath>) -> Result<ArtifactEntry> {
    let metadata = entry.metadata().map_err(|e| Error::io("look at", &entry.path(), e))?;
    if metadata.is_symlink() {
        return Err(link(&entry.path()));
    }
    let unnameable =
        || Error::invalid(format!("{} has a name that no artifact can have", entry.path().display()));
    let name: ArtifactPath = entry.file_name().to_str().ok_or_else(unnameable)?.parse()?;
    let path = match folder {
        Some(folder) => folder.join(&name)?,
        None => name,
    };
    Ok(ArtifactEntry { path, kind: kind(&metadata) })
}

fn kind(metadata: &Metadata) -> ArtifactKind {
    if metadata.is_dir() { ArtifactKind::Folder } else { ArtifactKind::File(metadata.len()) }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_temporary_files_that_nobody_writes_are_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let (temporary, locks) = (dir.path().join(".tmp"), dir.path().join(".locks"));
        prepare(&temporary, &locks, Duration::from_secs(60)).unwrap();
        fs::create_dir_all(temporary.join("folder/with")).unwrap();
        let folder = fs::File::open(temporary.join("folder")).unwrap();
        folder.set_modified(SystemTime::now() - Duration::from_secs(61)).unwrap();
        for (name, age) in [("old", 61), ("new", 1)] {
            let file = fs::File::create(temporary.join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        prepare(&temporary, &locks, Duration::from_secs(60)).unwrap();
        assert!(!temporary.join("old").exists() && !temporary.join("folder").exists());
        assert!(temporary.join("new").exists());
    }
}
