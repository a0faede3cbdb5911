//! Connections that cannot write. In the write-ahead log, readers and the writer do not wait for each other.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};

use super::EmbeddedOptions;
use super::failure::Work;
use super::guard;
use super::identity::Identity;
use crate::{Error, ErrorKind};

/// How many idle connections are kept: each holds up to 2 MB of pages, and reads take well under a millisecond.
const MAX_IDLE: usize = 4;

pub(super) struct Readers {
    path: PathBuf,
    options: EmbeddedOptions,
    idle: Mutex<Vec<Reader>>,
}

/// A connection, and the file that it reads.
struct Reader {
    connection: Connection,
    file: Identity,
}

impl Readers {
    pub(super) fn new(path: PathBuf, options: EmbeddedOptions) -> Self {
        Self { path, options, idle: Mutex::new(Vec::new()) }
    }

    /// Runs work in one read transaction; blocks.
    pub(super) fn run<T>(&self, work: impl FnOnce(&Connection) -> Work<T>) -> Work<T> {
        let mut reader = self.reader()?;
        let transaction = reader.connection.transaction()?;
        guard::check(&transaction)?;
        let value = work(&transaction)?;
        transaction.finish()?;
        let mut idle = self.idle();
        if idle.len() < MAX_IDLE {
            idle.push(reader);
        }
        Ok(value)
    }

    /// Returns a connection to the file that stands at the path now.
    fn reader(&self) -> Work<Reader> {
        let missing = || {
            Error::new(ErrorKind::Unavailable, format!("database {}: it was deleted", self.path.display()))
        };
        let file = Identity::of(&self.path).map_err(|e| Error::io("read the database", &self.path, e))?;
        let file = file.ok_or_else(missing)?;
        let idle = {
            let mut idle = self.idle();
            idle.retain(|reader| reader.file == file);
            idle.pop()
        };
        match idle {
            Some(reader) => Ok(reader),
            None => Ok(Reader { connection: self.open()?, file }),
        }
    }

    fn open(&self) -> Work<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(self.options.busy_timeout)?;
        // As MLflow does: `LIKE` tells cases apart, `ILIKE` is spelled with `lower`.
        connection.execute_batch("PRAGMA case_sensitive_like = ON;")?;
        Ok(connection)
    }

    /// A connection is put back only after its work went well, so a panic leaves the list as it should be.
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").field("path", &self.path).finish_non_exhaustive()
    }
}
