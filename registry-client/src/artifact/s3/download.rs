//! Downloads that go on where a connection broke.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use minio::s3::response_traits::HasEtagFromHeaders;
use minio::s3::types::S3Api;
use tokio::time::timeout;

use super::client::{Client, Object};
use crate::{ByteStream, Error, ErrorKind, Result};

/// How long a transfer may stand still: the patience of common reverse proxies.
const IDLE: Duration = Duration::from_secs(60);

/// How often in a row a transfer is taken up again without a byte in between: each time has retries of its own.
const MAX_RESUMPTIONS: u32 = 3;

type Body = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// A download under way.
struct Download {
    client: Client,
    object: Object,
    etag: String,
    body: Body,
    at: u64,
    size: u64,
    resumptions: u32,
}

/// Opens an object and returns its bytes.
pub(super) async fn download(client: Client, object: Object) -> Result<ByteStream> {
    let (etag, size, body) = open(&client, &object, None).await?;
    let download = Download { client, object, etag, body, at: 0, size, resumptions: 0 };
    Ok(Box::pin(stream::unfold(Some(download), |download| async move {
        let mut download = download?;
        match download.next().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(download))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })))
}

impl Download {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while self.at < self.size {
            match timeout(IDLE, self.body.next()).await {
                Ok(Some(Ok(piece))) => {
                    self.at += piece.len() as u64;
                    self.resumptions = 0;
                    return if self.at > self.size { Err(self.overlong()) } else { Ok(Some(piece)) };
                }
                Ok(Some(Err(error))) => self.resume(Some(error)).await?,
                Ok(None) | Err(_) => self.resume(None).await?,
            }
        }
        Ok(None)
    }

    /// Asks for the rest, of the same object: one that was replaced in between has another tag.
    async fn resume(&mut self, cause: Option<std::io::Error>) -> Result<()> {
        self.resumptions += 1;
        if self.resumptions > MAX_RESUMPTIONS {
            let message = format!(
                "cannot read {}: it breaks off after {} of {} bytes",
                self.object, self.at, self.size
            );
            let error = Error::new(ErrorKind::Unavailable, message);
            return Err(match cause {
                Some(cause) => error.with_source(cause),
                None => error,
            });
        }
        tracing::debug!(object = %self.object, at = self.at, "the transfer broke off, asking for the rest");
        let (etag, rest, body) = open(&self.client, &self.object, Some(self.at)).await?;
        if etag != self.etag || self.at + rest != self.size {
            return Err(Error::integrity(format!("{} changed while it was read", self.object)));
        }
        self.body = body;
        Ok(())
    }

    fn overlong(&self) -> Error {
        Error::integrity(format!(
            "{} is longer than the {} bytes that were announced",
            self.object, self.size
        ))
    }
}

/// Opens an object from some byte on; returns its tag, how many bytes will come, and the bytes.
async fn open(client: &Client, object: &Object, from: Option<u64>) -> Result<(String, u64, Body)> {
    client
        .call(&format!("read {object}"), 0, || async {
            let request = client.minio().get_object(&*object.bucket, &*object.key)?.offset(from).build();
            let response = request.send().await?;
            let etag = response.etag()?.to_string();
            let (body, size) = response.into_boxed_stream()?;
            Ok((etag, size, body))
        })
        .await
}
