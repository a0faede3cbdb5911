//! Copying a file of this machine.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::{AHEAD, PIECE_BYTES, lost, spawn};
use crate::digest::Hasher;
use crate::{Digest, Error, Result};

/// How much is copied at once: a core's cache still holds it when it is hashed.
const STRETCH_BYTES: u64 = 1 << 20;

/// Copies what is left of a file to one that was just made, and returns checksum and size of the copy; `path` is the new file's. The kernel
/// copies, so no byte comes into this process but to be hashed, by another thread, out of the copy itself: what is returned is true of what
/// is there, even if somebody changes the source meanwhile.
///
/// `came` is told of each stretch; the copy ends with its error.
pub(crate) async fn copy(
    from: File,
    to: File,
    path: PathBuf,
    mut came: impl FnMut(u64) -> Result<()>,
) -> Result<(Digest, u64)> {
    let copy = File::open(&path).map_err(|e| Error::io("read", &path, e))?;
    let (on_its_way, mut stretches) = mpsc::channel(AHEAD);
    let (to_hash, there) = mpsc::channel(AHEAD);
    let target = path.clone();
    let copied = spawn(move || copy_all(&from, &to, &target, &on_its_way))?;
    let hashed = spawn(move || hash(copy, &path, there))?;
    while let Some(len) = stretches.recv().await {
        came(len)?;
        if to_hash.send(len).await.is_err() {
            // It ends early only with an error, which it has told.
            break;
        }
    }
    drop((stretches, to_hash));
    let result = hashed.await.map_err(lost)?;
    copied.await.map_err(lost)??;
    result
}

fn copy_all(from: &File, to: &File, path: &Path, done: &mpsc::Sender<u64>) -> Result<()> {
    let (mut from, mut to) = (from.take(STRETCH_BYTES), to);
    loop {
        let len = io::copy(&mut from, &mut to).map_err(|e| Error::io("write", path, e))?;
        // Nobody listens any more: then nobody wants the rest.
        if len == 0 || done.blocking_send(len).is_err() {
            return Ok(());
        }
        from.set_limit(STRETCH_BYTES);
    }
}

fn hash(mut file: File, path: &Path, mut stretches: mpsc::Receiver<u64>) -> Result<(Digest, u64)> {
    let (mut hasher, mut piece) = (Hasher::default(), vec![0; PIECE_BYTES]);
    while let Some(mut left) = stretches.blocking_recv() {
        while left > 0 {
            let want = PIECE_BYTES.min(usize::try_from(left).unwrap_or(PIECE_BYTES));
            file.read_exact(&mut piece[..want]).map_err(|e| Error::io("read", path, e))?;
            hasher.update(&piece[..want]);
            left -= want as u64;
        }
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn copied(content: &[u8], came: impl FnMut(u64) -> Result<()>) -> Result<(Digest, u64)> {
        let dir = tempfile::tempdir().unwrap();
        let (source, target) = (dir.path().join("source"), dir.path().join("target"));
        std::fs::write(&source, content).unwrap();
        let to = File::create_new(&target).unwrap();
        let result = copy(File::open(&source).unwrap(), to, target.clone(), came).await?;
        assert!(std::fs::read(&target).unwrap() == content);
        Ok(result)
    }

    #[tokio::test]
    async fn a_copy_is_whole_whatever_its_length_and_its_checksum_known() {
        let stretch = STRETCH_BYTES as usize;
        for len in [0, 1, PIECE_BYTES + 1, stretch, stretch + 1, 10 * stretch + 7] {
            let content: Vec<u8> = (0..len).map(|at| (at / 3) as u8).collect();
            let mut told = 0;
            let result = copied(&content, |len| {
                told += len;
                Ok(())
            });
            assert_eq!(result.await.unwrap(), (Digest::of(&content), len as u64));
            assert_eq!(told, len as u64);
        }
    }

    #[tokio::test]
    async fn whoever_is_told_can_end_it() {
        let content = vec![1; 20 * STRETCH_BYTES as usize];
        let error = copied(&content, |_| Err(Error::integrity("too long"))).await.unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_takes_nothing_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let (source, target) = (dir.path().join("source"), dir.path().join("target"));
        std::fs::write(&source, [1; 100]).unwrap();
        std::fs::write(&target, []).unwrap();
        let (from, to) = (File::open(&source).unwrap(), File::open(&target).unwrap());
        let error = copy(from, to, target.clone(), |_| Ok(())).await.unwrap_err();
        assert!(error.to_string().contains(target.to_str().unwrap()), "{error}");
    }
}
