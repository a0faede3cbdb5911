//! Reading a file piece by piece.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use tokio::sync::mpsc;

use super::{AHEAD, PIECE_BYTES};
use crate::digest::Hasher;
use crate::{Digest, Error, Result};

/// The pieces of a file, in order, or the error that ended them. Dropping it ends the reading.
#[derive(Debug)]
pub(crate) struct FilePieces {
    pieces: mpsc::Receiver<Result<Bytes>>,
}

impl FilePieces {
    /// Reads a file to its end.
    pub(crate) fn read(file: File, path: PathBuf) -> Result<Self> {
        Self::spawn(move |out| read(file, &path, None, |piece| out.blocking_send(Ok(piece)).is_ok()))
    }

    /// Reads a file to its end and hashes it. The last piece is held back until `finish` has agreed with the checksum and the size,
    /// so that a file that is not what was announced is never sent whole.
    #[cfg_attr(
        not(feature = "rest"),
        allow(dead_code, reason = "files are checked on their way to a server")
    )]
    pub(crate) fn read_checked(
        file: File,
        path: PathBuf,
        finish: impl FnOnce(Digest, u64) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        Self::spawn(move |out| {
            let (mut hasher, mut held) = (Hasher::default(), None);
            let mut listening = true;
            read(file, &path, Some(&mut hasher), |piece| {
                listening = held.replace(piece).is_none_or(|before| out.blocking_send(Ok(before)).is_ok());
                listening
            })?;
            if listening {
                let (digest, size) = hasher.finish();
                finish(digest, size)?;
                if let Some(last) = held {
                    // Nobody listens any more: then nobody misses it.
                    let _ = out.blocking_send(Ok(last));
                }
            }
            Ok(())
        })
    }

    fn spawn(work: impl FnOnce(&mpsc::Sender<Result<Bytes>>) -> Result<()> + Send + 'static) -> Result<Self> {
        let (out, pieces) = mpsc::channel(AHEAD);
        super::spawn(move || {
            if let Err(error) = work(&out) {
                let _ = out.blocking_send(Err(error));
            }
        })?;
        Ok(Self { pieces })
    }
}

impl Stream for FilePieces {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.poll_recv(cx)
    }
}

/// Reads until the end, or until `take` wants no more.
fn read(
    mut file: File,
    path: &std::path::Path,
    mut hasher: Option<&mut Hasher>,
    mut take: impl FnMut(Bytes) -> bool,
) -> Result<()> {
    let mut buffers = Buffers::default();
    loop {
        let mut buffer = buffers.next();
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                if let Some(hasher) = &mut hasher {
                    hasher.update(&buffer[..read]);
                }
                if !take(buffers.lend(buffer, read)) {
                    return Ok(());
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io("read", path, e)),
        }
    }
}

/// Buffers that are used again when nobody holds their pieces any more: fresh memory would cost a page fault every 4 KiB.
#[derive(Default)]
struct Buffers {
    lent: VecDeque<Bytes>,
}

impl Buffers {
    fn next(&mut self) -> BytesMut {
        let returned = match self.lent.pop_front() {
            Some(oldest) if self.lent.len() >= AHEAD => oldest.try_into_mut().ok(),
            Some(oldest) => {
                self.lent.push_front(oldest);
                None
            }
            None => None,
        };
        returned.unwrap_or_else(|| BytesMut::zeroed(PIECE_BYTES))
    }

    fn lend(&mut self, buffer: BytesMut, filled: usize) -> Bytes {
        let whole = buffer.freeze();
        let piece = whole.slice(..filled);
        self.lent.push_back(whole);
        piece
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn next(pieces: &mut FilePieces) -> Option<Result<Bytes>> {
        poll_fn(|cx| Pin::new(&mut *pieces).poll_next(cx)).await
    }

    async fn collect(mut pieces: FilePieces) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(piece) = next(&mut pieces).await {
            all.extend_from_slice(&piece?);
        }
        Ok(all)
    }

    fn file(content: &[u8]) -> (tempfile::NamedTempFile, File) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let opened = file.reopen().unwrap();
        (file, opened)
    }

    #[tokio::test]
    async fn a_file_comes_whole_whatever_its_length() {
        for len in [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 20 * PIECE_BYTES + 7] {
            let content: Vec<u8> = (0..len).map(|at| (at / 3) as u8).collect();
            let (kept, opened) = file(&content);
            let pieces = FilePieces::read(opened, kept.path().to_owned()).unwrap();
            assert!(collect(pieces).await.unwrap() == content, "{len}");
            let expected = (Digest::of(&content), len as u64);
            let pieces = FilePieces::read_checked(kept.reopen().unwrap(), kept.path().into(), move |d, s| {
                assert_eq!((d, s), expected);
                Ok(())
            })
            .unwrap();
            assert!(collect(pieces).await.unwrap() == content, "{len}");
        }
    }

    #[tokio::test]
    async fn a_piece_that_is_still_held_is_not_written_over() {
        let content: Vec<u8> = (0..30 * PIECE_BYTES).map(|at| (at / PIECE_BYTES) as u8).collect();
        let (kept, opened) = file(&content);
        let mut pieces = FilePieces::read(opened, kept.path().to_owned()).unwrap();
        let mut held = Vec::new();
        while let Some(piece) = next(&mut pieces).await {
            held.push(piece.unwrap());
        }
        assert!(held.concat() == content);
    }

    #[tokio::test]
    async fn the_last_piece_of_a_file_that_is_not_right_never_comes() {
        let (kept, opened) = file(&vec![1; PIECE_BYTES + 1]);
        let mut pieces =
            FilePieces::read_checked(opened, kept.path().into(), |_, _| Err(Error::integrity("changed")))
                .unwrap();
        let first = next(&mut pieces).await.unwrap().unwrap();
        assert_eq!(first.len(), PIECE_BYTES);
        assert!(next(&mut pieces).await.unwrap().is_err());
        assert!(next(&mut pieces).await.is_none());
    }
}
