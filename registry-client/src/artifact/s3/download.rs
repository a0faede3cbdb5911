//! Downloads that go on where a connection broke, large ones over several connections.

use std::collections::VecDeque;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use minio::s3::response_traits::HasEtagFromHeaders;
use minio::s3::types::S3Api;
use tokio::time::{Instant, timeout};

use super::client::{Client, Object};
use crate::artifact::under_way::UnderWay;
use crate::transfer::Pace;
use crate::{ByteStream, Error, ErrorKind, Result};

/// How often in a row a transfer is taken up again with less than [`PROGRESS_BYTES`] in between: each time has retries of its own.
const MAX_RESUMPTIONS: u32 = 3;

/// What has to come for a connection to count as a good one: more than a server sends before it fails again.
const PROGRESS_BYTES: u64 = 64 << 10;

/// How much of a part is handed out at once.
const PIECE_BYTES: usize = 256 << 10;

type Body = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// Opens an object and returns its bytes.
pub(super) async fn download(client: Client, object: Object) -> Result<ByteStream> {
    let download = Download::open(client, object).await?;
    Ok(Box::pin(stream::unfold(Some(download), |download| async move {
        let mut download = download?;
        match download.next().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(download))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })))
}

/// A download under way: one part is read, the next ones are on their way into memory.
struct Download {
    client: Client,
    object: Object,
    etag: String,
    size: u64,
    /// The part that the first answer brings. Of a large object only its beginning is read: the connection is closed then, as the
    /// protocol has no other way to stop.
    first: Option<Part>,
    /// The parts that follow, in order.
    following: VecDeque<UnderWay>,
    /// Where the next part begins that nobody has asked for.
    unasked: u64,
    /// What came of the last part.
    ready: Bytes,
}

impl Download {
    async fn open(client: Client, object: Object) -> Result<Self> {
        let (etag, size, body) = open(&client, &object, None).await?;
        let options = client.options();
        // Two parts at least, or a second connection costs more than it brings.
        let is_large = options.parallel_parts > 1 && size >= options.part_bytes.saturating_mul(2);
        let end = if is_large { options.part_bytes } else { size };
        let (other, name, tag) = (client.clone(), object.clone(), etag.clone());
        let pace = Pace::new(options.idle_timeout);
        let first = Part {
            client: other,
            object: name,
            etag: tag,
            body,
            at: 0,
            end,
            pace,
            resumptions: 0,
            resumed_at: 0,
        };
        let mut download = Self {
            client,
            object,
            etag,
            size,
            first: Some(first),
            following: VecDeque::new(),
            unasked: end,
            ready: Bytes::new(),
        };
        download.ask();
        Ok(download)
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if !self.ready.is_empty() {
                return Ok(Some(self.ready.split_to(PIECE_BYTES.min(self.ready.len()))));
            }
            if let Some(first) = &mut self.first {
                match first.next().await? {
                    Some(piece) => return Ok(Some(piece)),
                    None => self.first = None,
                }
            } else {
                let Some(part) = self.following.pop_front() else { return Ok(None) };
                self.ready = part.bytes().await?;
                self.ask();
            }
        }
    }

    /// Asks for the parts that may be on their way now.
    fn ask(&mut self) {
        let options = self.client.options();
        let (part_bytes, parallel) = (options.part_bytes, options.parallel_parts);
        while self.unasked < self.size && self.following.len() < parallel {
            let end = self.unasked.saturating_add(part_bytes).min(self.size);
            let (client, object, etag) = (self.client.clone(), self.object.clone(), self.etag.clone());
            let part = Part::whole(client, object, etag, self.unasked, end);
            self.following.push_back(UnderWay::begin(part));
            self.unasked = end;
        }
    }
}

/// Some bytes of an object, as they come.
struct Part {
    client: Client,
    object: Object,
    etag: String,
    body: Body,
    at: u64,
    end: u64,
    pace: Pace,
    resumptions: u32,
    /// Where it was taken up last.
    resumed_at: u64,
}

impl Part {
    /// Returns the bytes from `at` to before `end`, all of them.
    async fn whole(client: Client, object: Object, etag: String, at: u64, end: u64) -> Result<Bytes> {
        let (body, pace) = (Box::pin(stream::empty()), Pace::new(client.options().idle_timeout));
        let mut part = Self { client, object, etag, body, at, end, pace, resumptions: 0, resumed_at: 0 };
        part.open().await?;
        // Copied, since a piece keeps the whole buffer that it was read into.
        let mut bytes = BytesMut::with_capacity(usize::try_from(end - at).unwrap_or(0));
        while let Some(piece) = part.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        while self.at < self.end {
            let since = Instant::now();
            match timeout(self.client.options().idle_timeout, self.body.next()).await {
                Ok(Some(Ok(piece))) if !self.pace.goes_on(piece.len(), since.elapsed()) => {
                    self.resume(None).await?
                }
                Ok(Some(Ok(mut piece))) => {
                    // More comes only where the first answer is not read to its end.
                    let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
                    piece.truncate(left);
                    self.at += piece.len() as u64;
                    if self.at >= self.resumed_at + PROGRESS_BYTES {
                        self.resumptions = 0;
                    }
                    return Ok(Some(piece));
                }
                Ok(Some(Err(error))) => self.resume(Some(error)).await?,
                Ok(None) | Err(_) => self.resume(None).await?,
            }
        }
        Ok(None)
    }

    async fn resume(&mut self, cause: Option<std::io::Error>) -> Result<()> {
        self.resumptions += 1;
        self.resumed_at = self.at;
        if self.resumptions > MAX_RESUMPTIONS {
            let message = format!("cannot read {}: it breaks off after {} bytes", self.object, self.at);
            let error = Error::new(ErrorKind::Unavailable, message);
            return Err(match cause {
                Some(cause) => error.with_source(cause),
                None => error,
            });
        }
        tracing::debug!(object = %self.object, at = self.at, "the transfer broke off, asking for the rest");
        self.open().await
    }

    /// Asks for what is left, of the same object: one that was replaced in between has another tag.
    async fn open(&mut self) -> Result<()> {
        let left = self.end - self.at;
        let (etag, comes, body) = open(&self.client, &self.object, Some((self.at, left))).await?;
        if etag != self.etag || comes != left {
            return Err(Error::integrity(format!("{} changed while it was read", self.object)));
        }
        self.body = body;
        Ok(())
    }
}

/// Opens an object, or so many of its bytes from some byte on; returns its tag, how many bytes will come, and the bytes.
async fn open(client: &Client, object: &Object, range: Option<(u64, u64)>) -> Result<(String, u64, Body)> {
    let (offset, length) = range.unzip();
    client
        .call(&format!("read {object}"), 0, || async {
            let request = client.minio().get_object(&*object.bucket, &*object.key)?;
            let response = request.offset(offset).length(length).build().send().await?;
            let etag = response.etag()?.to_string();
            let (body, size) = response.into_boxed_stream()?;
            Ok((etag, size, body))
        })
        .await
}
