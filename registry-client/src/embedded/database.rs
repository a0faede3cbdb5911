//! One database file: a writer and some readers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, Transaction};

use super::EmbeddedOptions;
use super::failure::Work;
use super::readers::Readers;
use super::writer::Writer;
use crate::{Location, Result};

/// A handle on the file; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Database {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    writer: Writer,
    readers: Readers,
}

impl Database {
    pub(super) async fn open(path: PathBuf, artifacts: Location, options: EmbeddedOptions) -> Result<Self> {
        let writer = Writer::open(path.clone(), artifacts, options).await?;
        let readers = Readers::new(path.clone(), options);
        Ok(Self { inner: Arc::new(Inner { path, writer, readers }) })
    }

    /// Runs work in an immediate transaction: all of it happens, on disk when this returns, or nothing.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Work<T> + Send + 'static,
    ) -> Result<T> {
        self.inner.writer.run(work).await
    }

    /// Runs work on one consistent state of the database.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Work<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        crate::blocking(move || inner.readers.run(work).map_err(|failure| failure.at(inner.path()))).await
    }
}

impl Inner {
    fn path(&self) -> &Path {
        &self.path
    }
}
