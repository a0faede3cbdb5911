//! Finding and deleting the artifacts that nothing needs any more, as `mlflow gc` does for a server.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;
use uuid::Uuid;

use super::database::Database;
use super::failure::Work;
use super::needed::{self, Owner, Pointers};
use super::owned::{self, Folder, OwnerKind};
use crate::disk::sync_dir;
use crate::{Error, LocalArtifacts, Result, blocking};

/// Finds what an embedded registry's folder of artifacts holds in vain, and deletes it.
///
/// Nothing is touched that a model version points to, whose run or logged model is active, that changed lately, or that does not
/// lie where MLflow puts the artifacts of runs and logged models. The records of deleted runs stay.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use martello_registry_client::{Registry, Sweeper};
///
/// let dir = tempfile::tempdir()?;
/// let registry = Registry::embedded(dir.path()).await?;
/// let sweeper = registry.sweeper()?;
/// for garbage in sweeper.find(Sweeper::DEFAULT_OLDER_THAN).await? {
///     sweeper.delete(&garbage).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Sweeper {
    database: Database,
    file: PathBuf,
    artifacts: PathBuf,
}

/// Why a folder is not needed.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GarbageReason {
    /// Its run was deleted.
    DeletedRun,
    /// Its logged model was deleted.
    DeletedModel,
    /// The registry knows no such run.
    UnknownRun,
    /// The registry knows no such logged model.
    UnknownModel,
}

/// A folder that nothing needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbage {
    /// Why.
    pub reason: GarbageReason,
    /// Of the run or logged model.
    pub id: String,
    /// The folder, absolute.
    pub folder: PathBuf,
    /// The size of the files in it.
    pub bytes: u64,
    /// How long nothing in it must have changed.
    older_than: Duration,
}

impl Sweeper {
    /// How long garbage is kept unless said otherwise: a day, in which a deletion by mistake is noticed.
    pub const DEFAULT_OLDER_THAN: Duration = Duration::from_secs(24 * 60 * 60);

    /// Garbage is never younger, whatever is asked for: a publication that is under way writes more often.
    pub const LEAST_OLDER_THAN: Duration = LocalArtifacts::ABANDONED_AFTER;

    pub(super) fn new(database: Database, file: PathBuf, artifacts: PathBuf) -> Self {
        Self { database, file, artifacts }
    }

    /// Lists what was deleted and last changed so long ago, by folder. Nothing is deleted.
    ///
    /// # Errors
    ///
    /// `Conflict` when a second database lies beside this one: its runs could own the folders. Otherwise what the database and
    /// the file system return.
    pub async fn find(&self, older_than: Duration) -> Result<Vec<Garbage>> {
        let older_than = older_than.max(Self::LEAST_OLDER_THAN);
        let (file, artifacts) = (self.file.clone(), self.artifacts.clone());
        let folders = blocking(move || {
            owned::refuse_second_database(&file)?;
            owned::folders(&artifacts)
        })
        .await?;
        self.database
            .read(move |connection| {
                let pointers = Pointers::read(connection)?;
                let mut found = Vec::new();
                for folder in folders {
                    found.extend(judge(connection, &pointers, &folder, older_than)?);
                }
                Ok(found)
            })
            .await
    }

    /// Deletes what [`find`](Self::find) has found, after looking again while nobody else can write to the database. Returns
    /// whether it was still garbage.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find). A folder that was deleted in part is gone from its place, and the rest of it is deleted when the
    /// registry is opened next, an hour later at the earliest.
    pub async fn delete(&self, garbage: &Garbage) -> Result<bool> {
        let (garbage, file, artifacts) = (garbage.clone(), self.file.clone(), self.artifacts.clone());
        let grave = LocalArtifacts::temporary_in(&self.artifacts).join(Uuid::new_v4().simple().to_string());
        let moved_to = grave.clone();
        let was_garbage = self
            .database
            .write(move |transaction| {
                owned::refuse_second_database(&file)?;
                let Some(folder) =
                    owned::folders(&artifacts)?.into_iter().find(|it| it.path == garbage.folder)
                else {
                    return Ok(false);
                };
                let pointers = Pointers::read(transaction)?;
                if judge(transaction, &pointers, &folder, garbage.older_than)?.is_none() {
                    return Ok(false);
                }
                bury(&folder.path, &moved_to)?;
                Ok(true)
            })
            .await?;
        if was_garbage {
            blocking(move || remove(&grave)).await?;
        }
        Ok(was_garbage)
    }
}

fn judge(
    connection: &Connection,
    pointers: &Pointers,
    folder: &Folder,
    older_than: Duration,
) -> Work<Option<Garbage>> {
    let (owner, deleted, unknown) = match folder.owner {
        OwnerKind::Run => {
            (needed::run(connection, &folder.id)?, GarbageReason::DeletedRun, GarbageReason::UnknownRun)
        }
        OwnerKind::LoggedModel => (
            needed::logged_model(connection, &folder.id)?,
            GarbageReason::DeletedModel,
            GarbageReason::UnknownModel,
        ),
    };
    let (reason, deleted_at) = match owner {
        Owner::Active => return Ok(None),
        Owner::Deleted(at) => (deleted, time(at.as_millis())),
        Owner::Unknown => (unknown, SystemTime::UNIX_EPOCH),
    };
    if pointers.need(&folder.path, &folder.id) || is_young(deleted_at.max(folder.changed), older_than) {
        return Ok(None);
    }
    Ok(Some(Garbage {
        reason,
        id: folder.id.clone(),
        folder: folder.path.clone(),
        bytes: folder.bytes,
        older_than,
    }))
}

fn time(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// What lies in the future is young.
fn is_young(at: SystemTime, older_than: Duration) -> bool {
    SystemTime::now().duration_since(at).map_or(true, |age| age < older_than)
}

/// Takes a folder out of its place, whole.
fn bury(folder: &Path, grave: &Path) -> Result<()> {
    fs::rename(folder, grave).map_err(|e| Error::io("move away", folder, e))?;
    folder.parent().map_or(Ok(()), sync_dir)
}

fn remove(grave: &Path) -> Result<()> {
    match fs::remove_dir_all(grave) {
        // Somebody who opened the registry meanwhile removes it as well.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|e| Error::io("delete", grave, e)),
    }
}
