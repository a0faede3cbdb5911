//! What a request carries: bytes that can be sent again.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::{fmt, io};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use tokio::fs::File;

use crate::transfer::FilePieces;
use crate::{Digest, Error, Result};

/// What a request carries. Cloning is cheap: a file is opened anew for each attempt.
#[derive(Debug, Clone)]
pub(crate) enum Payload {
    Empty,
    Memory(Bytes),
    File(FilePayload),
}

/// A file on its way out, and what is known about it.
#[derive(Debug, Clone)]
pub(crate) struct FilePayload {
    path: PathBuf,
    len: u64,
    expected: Option<Digest>,
    sent: Arc<Mutex<Option<Digest>>>,
}

/// The body of one attempt.
pub(crate) enum Outgoing {
    Whole(Option<Bytes>),
    File(Box<FileBody>),
}

/// A file on its way, of which the last piece is held back until length and checksum are right: a server that was sent fewer
/// bytes than announced keeps nothing.
pub(crate) struct FileBody {
    pieces: FilePieces,
    left: u64,
}

// ===== impl Payload =====

impl Payload {
    /// Returns the body of one attempt.
    pub(crate) async fn open(&self) -> Result<Outgoing> {
        Ok(match self {
            Self::Empty => Outgoing::Whole(None),
            Self::Memory(bytes) => Outgoing::Whole(Some(bytes.clone())),
            Self::File(payload) => Outgoing::File(Box::new(payload.open().await?)),
        })
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(payload) => payload.len,
        }
    }
}

// ===== impl FilePayload =====

impl FilePayload {
    /// Returns the first `len` bytes of a file, which must be all of it and have the expected checksum.
    pub(crate) fn new(path: PathBuf, len: u64, expected: Option<Digest>) -> Self {
        Self { path, len, expected, sent: Arc::default() }
    }

    /// Returns the checksum of what was last sent whole.
    pub(crate) fn sent(&self) -> Option<Digest> {
        *self.sent.lock().expect("nothing panics while it holds the checksum")
    }

    async fn open(&self) -> Result<FileBody> {
        let refused = |e| Error::io("read", &self.path, e);
        let file = File::open(&self.path).await.map_err(refused)?.into_std().await;
        let payload = self.clone();
        let finish = move |digest, len| payload.finish(digest, len);
        let pieces = FilePieces::read_checked(file, self.path.clone(), finish)?;
        Ok(FileBody { pieces, left: self.len })
    }

    fn finish(&self, digest: Digest, len: u64) -> Result<()> {
        if len != self.len || self.expected.is_some_and(|expected| expected != digest) {
            return Err(self.changed());
        }
        *self.sent.lock().expect("nothing panics while it holds the checksum") = Some(digest);
        Ok(())
    }

    fn changed(&self) -> Error {
        Error::integrity(format!("{} changed while it was sent", self.path.display()))
    }
}

// ===== impl FileBody =====

impl FileBody {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let next = ready!(Pin::new(&mut self.pieces).poll_next(cx));
        Poll::Ready(next.map(|piece| {
            let piece = piece.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            // More than was announced is never sent.
            let left = self.left.checked_sub(piece.len() as u64);
            self.left = left.ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    Error::integrity("the file grew while it was sent"),
                )
            })?;
            Ok(piece)
        }))
    }
}

// ===== impl Outgoing =====

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let next = match &mut *self {
            Self::Whole(bytes) => bytes.take().map(Ok),
            Self::File(body) => ready!(body.poll_next(cx)),
        };
        Poll::Ready(next.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::File(body) => SizeHint::with_exact(body.left),
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("size", &self.size_hint().exact()).finish()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    const LEN: usize = 300_000;

    async fn send(
        content: &[u8],
        announced: u64,
        expected: Option<Digest>,
    ) -> (io::Result<Vec<u8>>, Option<Digest>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let payload = FilePayload::new(file.path().to_owned(), announced, expected);
        let mut body = Payload::File(payload.clone()).open().await.unwrap();
        let mut received = Vec::new();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => received.extend_from_slice(&frame.into_data().unwrap()),
                Err(error) => return (Err(error), payload.sent()),
            }
        }
        (Ok(received), payload.sent())
    }

    #[tokio::test]
    async fn a_file_is_sent_whole_and_its_checksum_known() {
        for len in [0, 1, LEN, 3 * LEN] {
            let content: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let digest = Digest::of(&content);
            let (received, sent) = send(&content, len as u64, Some(digest)).await;
            assert_eq!(received.unwrap(), content, "{len}");
            assert_eq!(sent, Some(digest));
        }
    }

    #[tokio::test]
    async fn a_file_that_is_not_what_was_announced_is_never_sent_to_its_end() {
        let content = vec![7; LEN];
        let len = content.len() as u64;
        for (announced, expected) in [(len + 1, None), (len - 1, None), (len, Some(Digest::of(b"other")))] {
            let (received, sent) = send(&content, announced, expected).await;
            assert_eq!(received.unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert_eq!(sent, None);
        }
    }
}
