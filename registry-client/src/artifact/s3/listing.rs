//! Folders, which S3 does not have: prefixes of keys that end at a `/`.
//!
//! Always listed level by level: the crate cannot leave out the delimiter, and some servers take an empty one at its word.

use futures_util::StreamExt;
use minio::s3::error::Error as S3Error;
use minio::s3::response::ListObjectsResponse;
use minio::s3::types::{S3Api, ToStream};

use super::client::{Client, Object};
use crate::{ArtifactKind, Result};

/// How many entries one answer holds: S3's own cap.
const PAGE: u16 = 1000;

/// Returns names and kinds of what lies directly below a folder; without a name, the empty object that some clients make to
/// stand for the folder itself.
pub(super) async fn children(client: &Client, folder: &Object) -> Result<Vec<(String, ArtifactKind)>> {
    let prefix = if folder.key.is_empty() { String::new() } else { format!("{}/", folder.key) };
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = page(client, folder, &prefix, after.as_deref()).await?;
        for entry in page.contents {
            let Some(name) = entry.name.strip_prefix(&prefix) else { continue };
            match name.strip_suffix('/') {
                Some(name) => found.push((name.to_owned(), ArtifactKind::Folder)),
                None if entry.is_prefix => found.push((name.to_owned(), ArtifactKind::Folder)),
                None => found.push((name.to_owned(), ArtifactKind::File(entry.size.unwrap_or(0)))),
            }
        }
        after = page.next_continuation_token;
        if !page.is_truncated || after.is_none() {
            return Ok(found);
        }
    }
}

/// Deletes a file, or else everything in a folder: an artifact is one of the two, and a server that keeps its objects in folders
/// fails to delete a folder as an object.
pub(super) async fn delete(client: &Client, object: &Object) -> Result<()> {
    if children(client, object).await?.is_empty() {
        return delete_one(client, object).await;
    }
    let mut folders = vec![object.clone()];
    while let Some(folder) = folders.pop() {
        for (name, kind) in children(client, &folder).await? {
            let below = Object { bucket: folder.bucket.clone(), key: format!("{}/{name}", folder.key) };
            match kind {
                ArtifactKind::Folder => folders.push(below),
                ArtifactKind::File(_) => delete_one(client, &below).await?,
            }
        }
    }
    Ok(())
}

/// Deletes an object; S3 is content when there is none.
async fn delete_one(client: &Client, object: &Object) -> Result<()> {
    let doing = format!("delete {object}");
    let deleted = client.call(&doing, 0, || async {
        client.minio().delete_object(&*object.bucket, &*object.key)?.build().send().await.map(drop)
    });
    match deleted.await {
        Err(error) if error.is_not_found() => Ok(()),
        deleted => deleted,
    }
}

async fn page(
    client: &Client,
    folder: &Object,
    prefix: &str,
    after: Option<&str>,
) -> Result<ListObjectsResponse> {
    client
        .call(&format!("list {folder}"), 0, || async {
            let request = client
                .minio()
                .list_objects(&*folder.bucket)?
                .prefix(prefix.to_owned())
                .delimiter("/".to_owned())
                .max_keys(PAGE)
                // Artifact paths hold no character that XML could not, and not every server encodes what it is asked to.
                .disable_url_encoding(true)
                .continuation_token(after.map(str::to_owned))
                .build();
            let first = request.to_stream().await.next().await;
            first.unwrap_or_else(|| {
                Err(S3Error::Validation(minio::s3::error::ValidationErr::xml_error("no page")))
            })
        })
        .await
}
