//! Writing a file piece by piece.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::{AHEAD, PIECE_BYTES, lost, spawn};
use crate::digest::Hasher;
use crate::{Digest, Error, ErrorKind, Result};

/// How many pieces are handed over at once at most: what one call of the operating system takes.
const BATCH_PIECES: usize = 512;

/// A file that is written by one thread and hashed by another, while the next pieces are on their way. Dropped before
/// [`finish`](Self::finish), the file stays as it is.
#[derive(Debug)]
pub(crate) struct FileWriter {
    /// Pieces that are too small to wake anybody for: MLflow's server sends 64 KiB or less at a time.
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    to_write: mpsc::Sender<Vec<Bytes>>,
    to_hash: mpsc::Sender<Vec<Bytes>>,
    written: oneshot::Receiver<Result<()>>,
    hashed: oneshot::Receiver<(Digest, u64)>,
}

impl FileWriter {
    /// Writes to a file that was just made; `path` is for the errors.
    pub(crate) fn new(file: File, path: PathBuf) -> Result<Self> {
        let (to_write, pieces) = mpsc::channel(AHEAD);
        let written = spawn(move || write(file, &path, pieces))?;
        let (to_hash, pieces) = mpsc::channel(AHEAD);
        let hashed = spawn(move || hash(pieces))?;
        Ok(Self { waiting: Vec::new(), waiting_bytes: 0, to_write, to_hash, written, hashed })
    }

    /// Takes the next piece; waits while too many are not in the file yet.
    ///
    /// # Errors
    ///
    /// What the file system said about this piece or an earlier one; the writer is of no use then.
    pub(crate) async fn write(&mut self, piece: Bytes) -> Result<()> {
        self.waiting_bytes += piece.len();
        self.waiting.push(piece);
        if self.waiting_bytes < PIECE_BYTES && self.waiting.len() < BATCH_PIECES {
            return Ok(());
        }
        self.hand_over().await
    }

    /// Returns checksum and size of what was written, once all of it is.
    pub(crate) async fn finish(mut self) -> Result<(Digest, u64)> {
        self.hand_over().await?;
        drop((self.to_write, self.to_hash));
        self.written.await.map_err(lost)??;
        self.hashed.await.map_err(lost)
    }

    async fn hand_over(&mut self) -> Result<()> {
        self.waiting_bytes = 0;
        let batch = std::mem::take(&mut self.waiting);
        // The one that hashes has nothing that could fail.
        if self.to_hash.send(batch.clone()).await.is_ok() && self.to_write.send(batch).await.is_ok() {
            return Ok(());
        }
        // The one that writes ends early only with an error.
        (&mut self.written).await.map_err(lost)??;
        Err(Error::new(ErrorKind::Unavailable, "the thread that hashes a file has ended"))
    }
}

fn write(mut file: File, path: &Path, mut batches: mpsc::Receiver<Vec<Bytes>>) -> Result<()> {
    while let Some(batch) = batches.blocking_recv() {
        write_batch(&mut file, &batch).map_err(|e| Error::io("write", path, e))?;
    }
    Ok(())
}

fn write_batch(file: &mut File, batch: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> =
        batch.iter().filter(|piece| !piece.is_empty()).map(|piece| IoSlice::new(piece)).collect();
    let mut left = &mut slices[..];
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn hash(mut batches: mpsc::Receiver<Vec<Bytes>>) -> (Digest, u64) {
    let mut hasher = Hasher::default();
    while let Some(batch) = batches.blocking_recv() {
        batch.iter().for_each(|piece| hasher.update(piece));
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_is_there_and_its_checksum_known() {
        for (pieces, len) in
            [(0, 0), (1, 0), (1, 1), (3000, 3), (100, 10_000), (5, PIECE_BYTES), (3, 1_000_003)]
        {
            let kept = tempfile::NamedTempFile::new().unwrap();
            let mut writer = FileWriter::new(kept.reopen().unwrap(), kept.path().into()).unwrap();
            for at in 0..pieces {
                writer.write(Bytes::from(vec![at as u8; len])).await.unwrap();
            }
            let (digest, size) = writer.finish().await.unwrap();
            let written = std::fs::read(kept.path()).unwrap();
            let expected: Vec<u8> = (0..pieces).flat_map(|at| vec![at as u8; len]).collect();
            assert!(written == expected, "{pieces} pieces of {len}");
            assert_eq!((digest, size), (Digest::of(&expected), expected.len() as u64));
        }
    }

    #[tokio::test]
    async fn a_file_that_takes_nothing_is_an_error_that_names_it() {
        let kept = tempfile::NamedTempFile::new().unwrap();
        let mut writer = FileWriter::new(File::open(kept.path()).unwrap(), kept.path().into()).unwrap();
        let mut failed = None;
        for _ in 0..100 {
            if let Err(error) = writer.write(Bytes::from(vec![0; PIECE_BYTES])).await {
                failed = Some(error);
                break;
            }
        }
        let error = failed.expect("a file that is open for reading takes nothing");
        assert!(error.to_string().contains(kept.path().to_str().unwrap()), "{error}");

        let mut writer = FileWriter::new(File::open(kept.path()).unwrap(), kept.path().into()).unwrap();
        writer.write(Bytes::from_static(b"x")).await.unwrap();
        writer.finish().await.unwrap_err();
    }
}
