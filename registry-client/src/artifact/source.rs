//! A file that leaves in parts: read one after the other, counted and hashed, some of them on their way at a time.

use std::fs::File;
use std::future::Future;
use std::io::Read;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;

use super::promise::Kept;
use crate::digest::Hasher;
use crate::{Content, Digest, Error, Result, blocking};

/// Where the bytes come from, counted and hashed as they go.
pub(super) struct Source {
    from: Option<From>,
    hasher: Option<Hasher>,
}

enum From {
    Memory(Bytes),
    File(File, PathBuf),
}

/// How a file is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// The size of the whole.
    pub(super) size: u64,
    /// The size of each part but the last.
    pub(super) part_bytes: u64,
    /// How many are on their way at a time.
    pub(super) parallel: usize,
}

/// Sends the parts in order, some at a time, reading one ahead; `send` gets each with its place, from 0 on.
pub(super) async fn send_parts<T, Sent: Future<Output = Result<T>>>(
    source: &mut Source,
    cut: Cut,
    mut send: impl FnMut(usize, Bytes) -> Sent,
) -> Result<Vec<T>> {
    let mut under_way = FuturesOrdered::new();
    let (mut done, mut left, mut begun) = (Vec::new(), cut.size, 0);
    loop {
        // The connections go on by themselves while the next part is read.
        while left > 0 && under_way.len() < cut.parallel.max(1) {
            let bytes = source.read(cut.part_bytes.min(left)).await?;
            if bytes.is_empty() {
                left = 0;
            } else {
                left -= bytes.len() as u64;
                under_way.push_back(send(begun, bytes));
                begun += 1;
            }
        }
        match under_way.next().await {
            Some(sent) => done.push(sent?),
            None => return Ok(done),
        }
    }
}

impl Source {
    pub(super) async fn open(content: Content) -> Result<Self> {
        let from = match content {
            Content::Memory(bytes) => From::Memory(bytes),
            Content::File(path) => {
                blocking(move || match File::open(&path) {
                    Ok(file) => Ok(From::File(file, path)),
                    Err(error) => Err(Error::io("read", &path, error)),
                })
                .await?
            }
        };
        Ok(Self { from: Some(from), hasher: Some(Hasher::default()) })
    }

    /// Returns the next bytes, so many unless there are fewer.
    pub(super) async fn read(&mut self, wanted: u64) -> Result<Bytes> {
        let (Some(from), Some(mut hasher)) = (self.from.take(), self.hasher.take()) else {
            return Ok(Bytes::new());
        };
        let (from, hasher, bytes) = blocking(move || {
            let (from, bytes) = from.take(wanted)?;
            hasher.update(&bytes);
            Ok((from, hasher, bytes))
        })
        .await?;
        (self.from, self.hasher) = (Some(from), Some(hasher));
        Ok(bytes)
    }

    /// Checks that what was read is all there is, and what was promised; `what` is what is being written.
    pub(super) async fn finish(&mut self, what: &str, kept: &Kept) -> Result<Digest> {
        let rest = self.read(1).await?;
        let (digest, size) = self.hasher.take().unwrap_or_default().finish();
        if !rest.is_empty() || size != kept.size || kept.blake3.is_some_and(|promised| promised != digest) {
            return Err(Error::integrity(format!("the file for {what} changed while it was sent")));
        }
        Ok(digest)
    }
}

impl From {
    fn take(self, wanted: u64) -> Result<(Self, Bytes)> {
        match self {
            Self::Memory(mut bytes) => {
                let taken = bytes.split_to(usize::try_from(wanted).unwrap_or(usize::MAX).min(bytes.len()));
                Ok((Self::Memory(bytes), taken))
            }
            Self::File(mut file, path) => {
                let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or(0));
                let read = (&mut file).take(wanted).read_to_end(&mut bytes);
                read.map_err(|error| Error::io("read", &path, error))?;
                Ok((Self::File(file, path), bytes.into()))
            }
        }
    }
}
