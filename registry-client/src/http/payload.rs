//! What a request carries: bytes that can be sent again.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::{fmt, io};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncRead, ReadBuf};

use crate::digest::Hasher;
use crate::{Digest, Error, Result};

/// How much of a file is in memory at a time: large enough that the disk, not the copying, sets the pace.
const PIECE_BYTES: usize = 256 << 10;

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

/// Reads a file piece by piece, holding back the last piece until length and checksum are right: a server that was sent fewer
/// bytes than announced keeps nothing.
pub(crate) struct FileBody {
    file: File,
    buffer: BytesMut,
    held: Option<Bytes>,
    hasher: Option<Hasher>,
    read: u64,
    payload: FilePayload,
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
        let file = File::open(&self.path).await.map_err(|e| Error::io("read", &self.path, e))?;
        Ok(FileBody {
            file,
            buffer: BytesMut::new(),
            held: None,
            hasher: Some(Hasher::default()),
            read: 0,
            payload: self.clone(),
        })
    }

    fn finish(&self, hasher: Hasher) -> io::Result<()> {
        let (digest, len) = hasher.finish();
        if len != self.len || self.expected.is_some_and(|expected| expected != digest) {
            return Err(changed(&self.path));
        }
        *self.sent.lock().expect("nothing panics while it holds the checksum") = Some(digest);
        Ok(())
    }
}

fn changed(path: &std::path::Path) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{} changed while it was sent", path.display()))
}

// ===== impl FileBody =====

impl FileBody {
    /// Reads the next piece; `None` at the end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        self.buffer.resize(PIECE_BYTES, 0);
        let mut read = ReadBuf::new(&mut self.buffer);
        ready!(Pin::new(&mut self.file).poll_read(cx, &mut read))?;
        let filled = read.filled().len();
        if filled == 0 {
            return Poll::Ready(Ok(None));
        }
        self.read += filled as u64;
        if self.read > self.payload.len {
            return Poll::Ready(Err(changed(&self.payload.path)));
        }
        let piece = self.buffer.split_to(filled).freeze();
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&piece);
        }
        Poll::Ready(Ok(Some(piece)))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        while self.hasher.is_some() {
            match ready!(self.poll_piece(cx)) {
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(Some(piece)) => {
                    if let Some(before) = self.held.replace(piece) {
                        return Poll::Ready(Some(Ok(before)));
                    }
                }
                Ok(None) => {
                    let finished = self.hasher.take().map(|hasher| self.payload.finish(hasher));
                    if let Some(Err(error)) = finished {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
            }
        }
        Poll::Ready(self.held.take().map(Ok))
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
            Self::File(body) => {
                let held = body.held.as_ref().map_or(0, |piece| piece.len() as u64);
                SizeHint::with_exact(body.payload.len.saturating_sub(body.read) + held)
            }
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
        for len in [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES] {
            let content: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let digest = Digest::of(&content);
            let (received, sent) = send(&content, len as u64, Some(digest)).await;
            assert_eq!(received.unwrap(), content, "{len}");
            assert_eq!(sent, Some(digest));
        }
    }

    #[tokio::test]
    async fn a_file_that_is_not_what_was_announced_is_never_sent_to_its_end() {
        let content = vec![7; PIECE_BYTES + 10];
        let len = content.len() as u64;
        for (announced, expected) in [(len + 1, None), (len - 1, None), (len, Some(Digest::of(b"other")))] {
            let (received, sent) = send(&content, announced, expected).await;
            assert_eq!(received.unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert_eq!(sent, None);
        }
    }
}
