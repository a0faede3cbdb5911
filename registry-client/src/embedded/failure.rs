//! What can go wrong in a piece of database work, and what it means to a caller.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::{Error, ErrorKind};

/// Database work either fails in SQLite, or has something to tell.
#[derive(Debug)]
pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    Told(Error),
}

/// The result of a piece of database work.
pub(super) type Work<T> = Result<T, Failure>;

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

impl Failure {
    /// Returns the error to hand out: it names the file.
    pub(super) fn at(self, database: &Path) -> Error {
        match self {
            Self::Told(error) => error,
            Self::Sqlite(error) => {
                let (kind, what) = explain(&error);
                Error::new(kind, format!("database {}: {what}", database.display())).with_source(error)
            }
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Sqlite(error) if is_lock(error))
    }
}

fn is_lock(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn explain(error: &rusqlite::Error) -> (ErrorKind, &'static str) {
    use ErrorCode::{
        AuthorizationForStatementDenied, CannotOpen, ConstraintViolation, DatabaseBusy, DatabaseCorrupt,
        DatabaseLocked, DiskFull, FileLockingProtocolFailed, NotADatabase, PermissionDenied, ReadOnly,
        SystemIoFailure,
    };
    match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => (
            ErrorKind::Timeout,
            "it is locked by another process for longer than the busy timeout: nothing was written",
        ),
        Some(ReadOnly) => {
            (ErrorKind::PermissionDenied, "it is read-only: make the file and its folder writable")
        }
        Some(PermissionDenied | AuthorizationForStatementDenied) => {
            (ErrorKind::PermissionDenied, "permission denied")
        }
        Some(DiskFull) => (ErrorKind::StorageFull, "the disk is full: nothing was written"),
        Some(CannotOpen) => (ErrorKind::Unavailable, "it cannot be opened"),
        Some(SystemIoFailure | FileLockingProtocolFailed) => {
            (ErrorKind::Unavailable, "the file system failed: a registry needs a local disk")
        }
        Some(DatabaseCorrupt) => (ErrorKind::Integrity, "it is damaged: restore a copy"),
        Some(NotADatabase) => (ErrorKind::Integrity, "it is not an sqlite database"),
        Some(ConstraintViolation) => (ErrorKind::Conflict, "it contradicts what is stored"),
        _ => (ErrorKind::Protocol, "it does not hold what mlflow's schema promises"),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, OpenFlags};

    use super::*;

    fn check(error: rusqlite::Error, expected: ErrorKind) {
        let error = Failure::from(error).at(Path::new("dir/mlflow.db"));
        assert_eq!(error.kind(), expected, "{error:?}");
        assert!(error.to_string().contains("dir/mlflow.db"), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn a_full_disk_a_read_only_file_and_a_damaged_one_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.db");
        let connection = Connection::open(&file).unwrap();
        connection.execute_batch("CREATE TABLE t (x); PRAGMA max_page_count = 3;").unwrap();
        check(
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))", []).unwrap_err(),
            ErrorKind::StorageFull,
        );

        let reader = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        check(reader.execute("INSERT INTO t VALUES (1)", []).unwrap_err(), ErrorKind::PermissionDenied);

        connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let other = Connection::open(&file).unwrap();
        other.busy_timeout(std::time::Duration::ZERO).unwrap();
        check(other.execute("INSERT INTO t VALUES (1)", []).unwrap_err(), ErrorKind::Timeout);

        let text = dir.path().join("text.db");
        std::fs::write(&text, "this is no database, however long it is made".repeat(100)).unwrap();
        let wrong = Connection::open(&text).unwrap();
        check(wrong.execute("CREATE TABLE t (x)", []).unwrap_err(), ErrorKind::Integrity);

        let missing = dir.path().join("no/such/folder.db");
        check(Connection::open(&missing).unwrap_err(), ErrorKind::Unavailable);
    }
}
