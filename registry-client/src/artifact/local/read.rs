//! Reading a file piece by piece.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use tokio::io::{AsyncRead, ReadBuf};

use super::folder::{refuse_links, resolve};
use crate::{ArtifactPath, ByteStream, Error, Result};

/// How much is read at once: each piece is a trip to another thread, which costs as much as reading this.
const PIECE: usize = 256 << 10;

pub(super) fn open(root: &Path, path: &ArtifactPath) -> Result<(File, PathBuf)> {
    refuse_links(root, path)?;
    let target = resolve(root, path);
    let refused = |e| Error::io("read", &target, e);
    if !fs::symlink_metadata(&target).map_err(refused)?.is_file() {
        return Err(Error::not_found(format!("{} is not a file", target.display())));
    }
    let file = File::open(&target).map_err(refused)?;
    Ok((file, target))
}

pub(super) fn stream(file: File, path: PathBuf) -> ByteStream {
    Box::pin(Pieces { file: tokio::fs::File::from_std(file), path, buffer: BytesMut::zeroed(PIECE) })
}

struct Pieces {
    file: tokio::fs::File,
    path: PathBuf,
    buffer: BytesMut,
}

impl Stream for Pieces {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let mut piece = ReadBuf::new(&mut this.buffer);
        let read = ready!(Pin::new(&mut this.file).poll_read(cx, &mut piece));
        Poll::Ready(match read {
            Ok(()) if piece.filled().is_empty() => None,
            Ok(()) => Some(Ok(Bytes::copy_from_slice(piece.filled()))),
            Err(e) => Some(Err(Error::io("read", &this.path, e))),
        })
    }
}
