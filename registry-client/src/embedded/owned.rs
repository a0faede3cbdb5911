//! The folders of runs and logged models, as they lie on disk: `<experiment>/<run>` and `<experiment>/models/<model>`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::{Error, ErrorKind, Result};

/// Where MLflow 3 keeps the logged models of an experiment.
const MODELS: &str = "models";

/// What the identifier of a logged model begins with.
const MODEL_PREFIX: &str = "m-";

/// How a run identifier, and the rest of a model's, are written: 32 hexadecimal digits.
const ID_DIGITS: usize = 32;

/// What every SQLite database begins with.
const SQLITE_HEADER: &[u8] = b"SQLite format 3\0";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnerKind {
    Run,
    LoggedModel,
}

/// A folder that a run or a logged model should own.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    pub(super) owner: OwnerKind,
    pub(super) id: String,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// When anything in it last changed.
    pub(super) changed: SystemTime,
}

/// Returns every folder whose name is an identifier and which lies where MLflow puts it, by path; links are not followed.
pub(super) fn folders(artifacts: &Path) -> Result<Vec<Folder>> {
    let mut found = Vec::new();
    for (_, experiment) in subfolders(artifacts)? {
        for (name, path) in subfolders(&experiment)? {
            if is_id(&name) {
                found.push(measured(OwnerKind::Run, name, path)?);
            } else if name == MODELS {
                for (name, path) in subfolders(&path)? {
                    if name.strip_prefix(MODEL_PREFIX).is_some_and(is_id) {
                        found.push(measured(OwnerKind::LoggedModel, name, path)?);
                    }
                }
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Fails when another database lies in the same folder: both keep their artifacts in one place, and neither knows the other's runs.
pub(super) fn refuse_second_database(file: &Path) -> Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    for entry in fs::read_dir(folder).map_err(|e| Error::io("read", folder, e))? {
        let path = entry.map_err(|e| Error::io("read", folder, e))?.path();
        if path != file && path.is_file() && is_database(&path).map_err(|e| Error::io("read", &path, e))? {
            let message = format!(
                "{} is a database beside {}: its runs may own the artifacts here, so nothing is garbage; move one of them away",
                path.display(),
                file.display()
            );
            return Err(Error::new(ErrorKind::Conflict, message));
        }
    }
    Ok(())
}

fn is_database(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(SQLITE_HEADER.len() as u64).read_to_end(&mut start)?;
    Ok(start == SQLITE_HEADER)
}

fn is_id(name: &str) -> bool {
    name.len() == ID_DIGITS && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn subfolders(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in entries(folder)? {
        let is_folder = entry.file_type().map_err(|e| Error::io("look at", &entry.path(), e))?.is_dir();
        match entry.file_name().into_string() {
            Ok(name) if is_folder && !name.starts_with('.') => found.push((name, entry.path())),
            _ => {}
        }
    }
    Ok(found)
}

fn measured(owner: OwnerKind, id: String, path: PathBuf) -> Result<Folder> {
    let refused = |path: &Path, e| Error::io("look at", path, e);
    let own = fs::symlink_metadata(&path).and_then(|it| it.modified()).map_err(|e| refused(&path, e))?;
    let mut folder = Folder { owner, id, path: path.clone(), bytes: 0, changed: own };
    let mut left = vec![path];
    while let Some(next) = left.pop() {
        for entry in entries(&next)? {
            let metadata = entry.metadata().map_err(|e| refused(&entry.path(), e))?;
            folder.changed = folder.changed.max(metadata.modified().map_err(|e| refused(&entry.path(), e))?);
            if metadata.is_dir() {
                left.push(entry.path());
            } else {
                folder.bytes = folder.bytes.saturating_add(metadata.len());
            }
        }
    }
    Ok(folder)
}

fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>> {
    let refused = |e| Error::io("list", folder, e);
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect::<io::Result<_>>().map_err(refused),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(refused(e)),
    }
}
