//! Uploads: small files in one call, larger ones in parts, of which a few are in memory at a time.

use bytes::Bytes;
use minio::s3::response_traits::HasEtagFromHeaders;
use minio::s3::segmented_bytes::SegmentedBytes;
use minio::s3::types::{PartInfo, S3Api};

use super::client::{Client, Object};
use crate::artifact::promise::Kept;
use crate::artifact::source::{Cut, Source, send_parts};
use crate::{Content, Digest, Error, ErrorKind, Result};

/// S3 takes no more parts.
const MAX_PARTS: u64 = 10_000;

/// Sends a file, and returns the checksum of what was sent. The server has all of it or nothing.
pub(super) async fn upload(
    client: &Client,
    object: &Object,
    content: Content,
    kept: &Kept,
) -> Result<Digest> {
    let part_bytes = client.options().part_bytes.max(kept.size.div_ceil(MAX_PARTS)).max(1);
    let mut source = Source::open(content).await?;
    if kept.size <= part_bytes {
        let bytes = source.read(part_bytes).await?;
        let digest = source.finish(&object.to_string(), kept).await?;
        put_whole(client, object, bytes).await?;
        return Ok(digest);
    }
    let parts = Parts::begin(client, object).await?;
    let sent = send_all(&parts, &mut source, part_bytes, kept).await;
    match sent {
        Ok((digest, infos)) => parts.complete(infos, kept.size).await.map(|()| digest),
        Err(error) => {
            parts.abort().await;
            Err(error)
        }
    }
}

/// Sends the parts, and returns what they are put together from.
async fn send_all(
    parts: &Parts<'_>,
    source: &mut Source,
    part_bytes: u64,
    kept: &Kept,
) -> Result<(Digest, Vec<PartInfo>)> {
    let cut = Cut { size: kept.size, part_bytes, parallel: parts.client.options().parallel_parts };
    let infos = send_parts(source, cut, |at, bytes| parts.send(at, bytes)).await?;
    // Before the parts are put together: until then nobody sees them.
    let digest = source.finish(&parts.object.to_string(), kept).await?;
    Ok((digest, infos))
}

async fn put_whole(client: &Client, object: &Object, bytes: Bytes) -> Result<()> {
    client
        .call(&format!("write {object}"), bytes.len() as u64, || async {
            let data = SegmentedBytes::from(bytes.clone());
            client.minio().put_object(&*object.bucket, &*object.key, data)?.build().send().await.map(drop)
        })
        .await
}

/// An upload in parts. Dropped before its end, it tells the server to forget the parts.
struct Parts<'a> {
    client: &'a Client,
    object: &'a Object,
    unfinished: Option<Unfinished>,
}

struct Unfinished {
    client: Client,
    object: Object,
    id: String,
}

impl<'a> Parts<'a> {
    async fn begin(client: &'a Client, object: &'a Object) -> Result<Self> {
        let id = client
            .call(&format!("begin to write {object}"), 0, || async {
                let request = client.minio().create_multipart_upload(&*object.bucket, &*object.key)?.build();
                Ok(request.send().await?.upload_id().await?.to_string())
            })
            .await?;
        let unfinished = Unfinished { client: client.clone(), object: object.clone(), id };
        Ok(Self { client, object, unfinished: Some(unfinished) })
    }

    fn id(&self) -> &str {
        self.unfinished.as_ref().map_or("", |unfinished| &unfinished.id)
    }

    async fn send(&self, at: usize, bytes: Bytes) -> Result<PartInfo> {
        let number = u16::try_from(at + 1)
            .map_err(|_| Error::invalid(format!("{} has too many parts", self.object)))?;
        let size = bytes.len() as u64;
        self.client
            .call(&format!("write part {number} of {}", self.object), size, || async {
                let data = SegmentedBytes::from(bytes.clone());
                let (bucket, key) = (&*self.object.bucket, &*self.object.key);
                let request = self.client.minio().upload_part(bucket, key, self.id(), number, data)?.build();
                Ok(PartInfo::new(number, request.send().await?.etag()?, size, None))
            })
            .await
    }

    /// Puts the parts together. When the answer is lost, the next attempt finds no such upload, which servers say in several ways: then
    /// the object tells.
    async fn complete(mut self, infos: Vec<PartInfo>, size: u64) -> Result<()> {
        let done = self
            .client
            .call(&format!("finish writing {}", self.object), size, || async {
                let (bucket, key) = (&*self.object.bucket, &*self.object.key);
                let request =
                    self.client.minio().complete_multipart_upload(bucket, key, self.id(), infos.clone())?;
                request.build().send().await.map(drop)
            })
            .await;
        let stored = match &done {
            Ok(()) => self.client.size(self.object).await?,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::PermissionDenied
                ) =>
            {
                self.client.size(self.object).await?
            }
            Err(_) => None,
        };
        match (done, stored) {
            (_, Some(stored)) if stored == size => {
                self.unfinished = None;
                Ok(())
            }
            (Err(error), _) => {
                self.abort().await;
                Err(error)
            }
            (Ok(()), _) => Err(Error::integrity(format!(
                "{} does not have the {size} bytes that were sent",
                self.object
            ))),
        }
    }

    async fn abort(mut self) {
        if let Some(unfinished) = self.unfinished.take() {
            unfinished.abort().await;
        }
    }
}

impl Drop for Parts<'_> {
    fn drop(&mut self) {
        let runtime = tokio::runtime::Handle::try_current();
        if let (Some(unfinished), Ok(runtime)) = (self.unfinished.take(), runtime) {
            runtime.spawn(unfinished.abort());
        }
    }
}

impl Unfinished {
    /// Tells the server to forget the parts; what it cannot be told now, its own rules for unfinished uploads must tidy.
    async fn abort(self) {
        let Self { client, object, id } = self;
        let doing = format!("give up writing {object}");
        let aborted = client.call(&doing, 0, || async {
            client
                .minio()
                .abort_multipart_upload(&*object.bucket, &*object.key, &*id)?
                .build()
                .send()
                .await
                .map(drop)
        });
        if let Err(error) = aborted.await {
            tracing::warn!(%error, "parts of an upload stay on the server");
        }
    }
}
