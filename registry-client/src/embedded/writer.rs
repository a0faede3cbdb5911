//! The one thread that writes.
//!
//! A thread of its own, because SQLite has one writer at a time anyway, because handing work to an actor costs a third of handing
//! it to a pool of threads that fight for one connection (14 against 39 µs), and because every write starts
//! with `BEGIN IMMEDIATE`: a transaction that reads first and then wants to write fails at once when another process was quicker.

use std::fmt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::failure::{Failure, Work};
use super::identity::Identity;
use super::{EmbeddedOptions, guard, schema};
use crate::{Error, ErrorKind, Location, Result};

/// How many writes may wait; beyond it callers wait for a place. A write takes two milliseconds, so this is half a second of work.
const QUEUE: usize = 256;

/// How long to wait between two tries to open: switching to the write-ahead log does not honour the busy timeout.
const OPEN_RETRY: Duration = Duration::from_millis(10);

type Job = Box<dyn FnOnce(&mut Opened) + Send>;

/// The connection, the file that it writes to, and how it was made.
struct Opened {
    connection: Connection,
    file: Option<Identity>,
    path: PathBuf,
    artifacts: Location,
    options: EmbeddedOptions,
}

pub(super) struct Writer {
    path: PathBuf,
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    pub(super) async fn open(path: PathBuf, artifacts: Location, options: EmbeddedOptions) -> Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (opened, outcome) = oneshot::channel();
        let database = path.clone();
        thread::Builder::new()
            .name("registry-writer".to_owned())
            .spawn(move || match Opened::open(database, artifacts, options) {
                Ok(writer) => {
                    let _ = opened.send(Ok(()));
                    work_off(writer, queue);
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                }
            })
            .map_err(|e| Error::io("start a thread that writes to", &path, e))?;
        outcome.await.map_err(|_| gone(&path))??;
        Ok(Self { path, jobs })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Work<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, outcome) = oneshot::channel();
        let job: Job = Box::new(move |opened| {
            let done = opened.follow().and_then(|()| transact(&mut opened.connection, &opened.path, work));
            let _ = answer.send(done);
        });
        self.jobs.send(job).await.map_err(|_| gone(&self.path))?;
        outcome.await.map_err(|_| gone(&self.path))?
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Opened {
    fn open(path: PathBuf, artifacts: Location, options: EmbeddedOptions) -> Result<Self> {
        let connection = open(&path, &artifacts, options).map_err(|failure| unopened(failure, &path))?;
        let file = Identity::of(&path).map_err(|e| Error::io("open the database", &path, e))?;
        Ok(Self { connection, file, path, artifacts, options })
    }

    /// Goes over to the file that stands at the path now: what is written to a file that was deleted is lost when it is closed.
    fn follow(&mut self) -> Result<()> {
        let path = &self.path;
        let now = Identity::of(path).map_err(|e| Error::io("open the database", path, e))?;
        if now == self.file {
            return Ok(());
        }
        if now.is_none() {
            let message = format!("database {}: it was deleted: nothing was written", path.display());
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        tracing::warn!(database = %path.display(), "the database was replaced: the new one is used");
        *self = Self::open(path.clone(), self.artifacts.clone(), self.options)?;
        Ok(())
    }
}

/// Ends when the last handle is dropped; closing the connection then empties the write-ahead log.
fn work_off(mut opened: Opened, mut queue: mpsc::Receiver<Job>) {
    while let Some(job) = queue.blocking_recv() {
        job(&mut opened);
    }
}

fn transact<T>(
    connection: &mut Connection,
    path: &Path,
    work: impl FnOnce(&Transaction<'_>) -> Work<T>,
) -> Result<T> {
    let done = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(Failure::from)
        .and_then(|transaction| {
            guard::check(&transaction)?;
            let value = work(&transaction)?;
            Ok((transaction, value))
        })
        .map_err(|failure| failure.at(path));
    let (transaction, value) = done?;
    transaction.commit().map_err(|error| uncommitted(error, path))?;
    Ok(value)
}

/// A commit that fails in the file system may be found done after a restart.
fn uncommitted(error: rusqlite::Error, path: &Path) -> Error {
    let error = Failure::from(error).at(path);
    if error.kind() != ErrorKind::Unavailable {
        return error;
    }
    Error::new(ErrorKind::Ambiguous, format!("database {}: the commit may not be on disk", path.display()))
        .with_source(error)
}

fn open(path: &Path, artifacts: &Location, options: EmbeddedOptions) -> Work<Connection> {
    let deadline = Instant::now() + options.busy_timeout;
    loop {
        match try_open(path, artifacts, options) {
            Err(failure) if failure.is_busy() && Instant::now() < deadline => thread::sleep(OPEN_RETRY),
            outcome => return outcome,
        }
    }
}

fn try_open(path: &Path, artifacts: &Location, options: EmbeddedOptions) -> Work<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.busy_timeout)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        let message =
            format!("database {}: no write-ahead log is possible there: use a local disk", path.display());
        return Err(Error::new(ErrorKind::Unavailable, message).into());
    }
    // FULL: with less, a version whose alias was already told to a replica could be gone after a power loss.
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    schema::ensure(&transaction, artifacts)?;
    transaction.commit()?;
    Ok(connection)
}

/// SQLite says only that it cannot open a file; the file system knows why.
fn unopened(failure: Failure, path: &Path) -> Error {
    match std::fs::File::options().append(true).open(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Error::io("open the database", path, e),
        _ => failure.at(path),
    }
}

fn gone(path: &Path) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("database {}: the thread that writes to it has ended", path.display()),
    )
}
