//! Artifacts through the proxy of an MLflow server (`mlflow-artifacts:`).
//!
//! Through the server itself, or, where it offers that, straight to and from the storage behind it by presigned URIs; those name the
//! storage as the *server* reaches it, so that the first way stays for whoever cannot. The protocol has no checksums and no conditional
//! writes, so the client checks what it can: length and checksum of what it sends, and that an answer came to its announced end.

mod download;
mod offer;
mod place;
mod storage;
mod upload;

use http::Method;
use serde::Deserialize;

use offer::Offers;
use place::{ARTIFACTS, PART_BYTES, Place, patience};
use storage::Storages;
use upload::Sent;

use super::promise::{self, Kept};
use crate::http::{Call, FilePayload, Http, Payload, Safety, Target};
use crate::rest::{MlflowClient, MultipartOptions};
use crate::{
    ArtifactEntry, ArtifactKind, ArtifactPath, ArtifactStore, BoxFuture, ByteStream, Content, Digest, Error,
    ErrorKind, Location, Overwrite, PutOptions, Result,
};

/// Artifacts behind an MLflow server.
#[derive(Debug, Clone)]
pub struct ProxyArtifacts {
    http: Http,
    multipart: MultipartOptions,
    offers: Offers,
    storages: Storages,
}

#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    files: Vec<ListedFile>,
}

#[derive(Deserialize)]
struct ListedFile {
    path: String,
    #[serde(default)]
    is_dir: bool,
    #[serde(default)]
    file_size: Option<u64>,
}

impl ProxyArtifacts {
    /// Returns the artifacts behind this client's server. A location that names another server is asked there, without
    /// credentials: who can write a run's location must not learn them.
    pub fn new(client: &MlflowClient) -> Self {
        let (http, multipart) = (client.http().clone(), client.multipart().clone());
        let storages = Storages::new(http.options(), &multipart);
        Self { http, multipart, offers: Offers::default(), storages }
    }

    fn place(&self, root: &Location, below: Option<&ArtifactPath>) -> Result<Place> {
        let Location::Proxy { authority, path } = root else {
            return Err(Error::invalid(format!("{root} is not behind an artifact proxy")));
        };
        let http = match authority {
            Some(authority) if !self.http.server().is_at(authority) => self.http.elsewhere(authority)?,
            _ => self.http.clone(),
        };
        let base = path.trim_matches('/');
        let path = match below {
            Some(below) if base.is_empty() => below.to_string(),
            Some(below) => format!("{base}/{below}"),
            None => base.to_owned(),
        };
        Ok(Place { http, path })
    }
}

impl ArtifactStore for ProxyArtifacts {
    fn put<'a>(
        &'a self,
        root: &'a Location,
        path: &'a ArtifactPath,
        content: Content,
        options: PutOptions,
    ) -> BoxFuture<'a, Result<Digest>> {
        Box::pin(async move {
            if options.overwrite == Overwrite::Refuse && self.find(root, path).await?.is_some() {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    format!("{path} exists already below {root}"),
                ));
            }
            let kept = promise::keep(path, &content, &options).await?;
            let place = self.place(root, Some(path))?;
            if let Some(digest) = self.put_past(&place, root, path, &content, &kept).await? {
                return Ok(digest);
            }
            let file = match content {
                Content::Memory(bytes) => {
                    place.put(Payload::Memory(bytes)).await?;
                    None
                }
                Content::File(file) => {
                    let file = FilePayload::new(file, kept.size, kept.blake3);
                    place.put(Payload::File(file.clone())).await?;
                    file.sent()
                }
            };
            kept.blake3
                .or(file)
                .ok_or_else(|| Error::integrity(format!("{path} was answered before it was sent")))
        })
    }

    fn get<'a>(&'a self, root: &'a Location, path: &'a ArtifactPath) -> BoxFuture<'a, Result<ByteStream>> {
        Box::pin(async move {
            let place = self.place(root, Some(path))?;
            if self.offers.download(self.multipart.download, &place.http).await {
                let part_bytes = self.multipart.download_part_bytes.min(PART_BYTES);
                if let Some(stream) = download::open(&place, &self.storages, part_bytes).await {
                    return Ok(stream);
                }
            }
            let error = match place.open().await {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            // The server answers 500 for a file that does not exist, and is slow to begin with a large one.
            if !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::NotFound) {
                return Err(error);
            }
            match self.find(root, path).await {
                Ok(None) => {
                    Err(Error::not_found(format!("there is no file {path} below {root}")).with_source(error))
                }
                Ok(Some(ArtifactKind::Folder)) => {
                    Err(Error::not_found(format!("{path} below {root} is a folder")))
                }
                Ok(Some(ArtifactKind::File(size))) if error.kind() == ErrorKind::Timeout => {
                    place.open_whole(patience(size)).await
                }
                _ => Err(error),
            }
        })
    }

    fn list<'a>(
        &'a self,
        root: &'a Location,
        folder: Option<&'a ArtifactPath>,
    ) -> BoxFuture<'a, Result<Vec<ArtifactEntry>>> {
        Box::pin(async move {
            let place = self.place(root, folder)?;
            let target = Target::new(ARTIFACTS)
                .query_if("path", Some(place.path.as_str()).filter(|path| !path.is_empty()));
            let listing: Listing = place.http.json(Call::get(format!("list {}", place.path), target)).await?;
            let mut entries = Vec::with_capacity(listing.files.len());
            for file in listing.files {
                let name: ArtifactPath = file.path.parse()?;
                let path = match folder {
                    Some(folder) => folder.join(&name)?,
                    None => name,
                };
                let kind = if file.is_dir {
                    ArtifactKind::Folder
                } else {
                    ArtifactKind::File(file.file_size.unwrap_or(0))
                };
                entries.push(ArtifactEntry { path, kind });
            }
            entries.sort_by(|a, b| a.path.cmp(&b.path));
            Ok(entries)
        })
    }

    fn stat<'a>(
        &'a self,
        root: &'a Location,
        path: &'a ArtifactPath,
    ) -> BoxFuture<'a, Result<ArtifactEntry>> {
        Box::pin(async move {
            match self.find(root, path).await? {
                Some(kind) => Ok(ArtifactEntry { path: path.clone(), kind }),
                None => Err(Error::not_found(format!("there is no artifact {path} below {root}"))),
            }
        })
    }

    fn delete_prefix<'a>(&'a self, root: &'a Location, path: &'a ArtifactPath) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if self.find(root, path).await?.is_none() {
                return Ok(());
            }
            let place = self.place(root, Some(path))?;
            let doing = format!("delete {}", place.path);
            let call = Call::new(
                doing,
                Method::DELETE,
                Target::new(ARTIFACTS).path(&place.path),
                Payload::Empty,
                Safety::Repeatable,
            );
            place.http.send(call).await.map(drop)
        })
    }
}

impl ProxyArtifacts {
    /// Sends a large file straight to the storage behind the server, or returns nothing where that is not to be.
    async fn put_past(
        &self,
        place: &Place,
        root: &Location,
        path: &ArtifactPath,
        content: &Content,
        kept: &Kept,
    ) -> Result<Option<Digest>> {
        // The size first: most files need no question.
        if kept.size < self.multipart.upload_minimum
            || !self.offers.upload(self.multipart.upload, &place.http).await
        {
            return Ok(None);
        }
        let before = self.find(root, path).await?;
        let part_bytes = self.multipart.upload_part_bytes;
        match upload::upload(place, &self.storages, content.clone(), kept, part_bytes).await? {
            Sent::Whole(digest) => Ok(Some(digest)),
            Sent::NotThisWay => Ok(None),
            // The answer was lost. The artifact tells, unless there was one like it before.
            Sent::Unsure(digest, unfinished, error) => {
                let there = Some(ArtifactKind::File(kept.size));
                if before != there && self.find(root, path).await? == there {
                    unfinished.ended();
                    return Ok(Some(digest));
                }
                unfinished.abort().await;
                Err(error)
            }
        }
    }

    /// Looks for an artifact in the listing of the folder that it is in: the protocol has no other way on every version.
    async fn find(&self, root: &Location, path: &ArtifactPath) -> Result<Option<ArtifactKind>> {
        let folder =
            path.as_str().rsplit_once('/').map(|(folder, _)| folder.parse::<ArtifactPath>()).transpose()?;
        let entries = self.list(root, folder.as_ref()).await?;
        Ok(entries.into_iter().find(|entry| entry.path == *path).map(|entry| entry.kind))
    }
}
