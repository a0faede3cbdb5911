//! Artifacts through the proxy of an MLflow server (`mlflow-artifacts:`).
//!
//! Always through the server itself, never by presigned URLs, which MLflow 3 offers: they name the storage as the *server*
//! reaches it, which a client elsewhere often cannot. The protocol has no checksums, no ranges and no conditional writes, so
//! the client checks what it can: length and checksum of what it sends, and that an answer came to its announced end.

use std::time::Duration;

use http::{HeaderValue, Method, header};
use serde::Deserialize;

use super::promise;
use crate::http::{Answer, Call, FilePayload, Http, Payload, Safety, Target};
use crate::rest::MlflowClient;
use crate::{
    ArtifactEntry, ArtifactKind, ArtifactPath, ArtifactStore, BoxFuture, ByteStream, Content, Digest, Error,
    ErrorKind, Location, Overwrite, PutOptions, Result,
};

const API: &str = "/api/2.0/mlflow-artifacts/artifacts";

/// A transfer slower than this many bytes a second counts as dead: a tenth of a slow office line. The server fetches a whole
/// object from its storage before it sends the first byte (512 MiB: 4.6 s measured on a local one).
const MIN_BYTES_PER_SECOND: u64 = 128 << 10;

/// Artifacts behind an MLflow server.
#[derive(Debug, Clone)]
pub struct ProxyArtifacts {
    http: Http,
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

/// Where an artifact is: which server, and the path below its root.
struct Place {
    http: Http,
    path: String,
}

impl ProxyArtifacts {
    /// Returns the artifacts behind this client's server. A location that names another server is asked there, without
    /// credentials: who can write a run's location must not learn them.
    pub fn new(client: &MlflowClient) -> Self {
        Self { http: client.http().clone() }
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
            let error = match place.get(Duration::ZERO).await {
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
                    place.get(patience(size)).await
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
            let target =
                Target::new(API).query_if("path", Some(place.path.as_str()).filter(|path| !path.is_empty()));
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
                Target::new(API).path(&place.path),
                Payload::Empty,
                Safety::Repeatable,
            );
            place.http.send(call).await.map(drop)
        })
    }
}

impl ProxyArtifacts {
    /// Looks for an artifact in the listing of the folder that it is in: the protocol has no other way on every version.
    async fn find(&self, root: &Location, path: &ArtifactPath) -> Result<Option<ArtifactKind>> {
        let folder =
            path.as_str().rsplit_once('/').map(|(folder, _)| folder.parse::<ArtifactPath>()).transpose()?;
        let entries = self.list(root, folder.as_ref()).await?;
        Ok(entries.into_iter().find(|entry| entry.path == *path).map(|entry| entry.kind))
    }
}

impl Place {
    async fn put(&self, payload: Payload) -> Result<()> {
        let doing = format!("upload {}", self.path);
        let extra = patience(payload.len());
        let mut call =
            Call::new(doing, Method::PUT, Target::new(API).path(&self.path), payload, Safety::Repeatable);
        call.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        call.extra_patience = extra;
        self.http.send(call).await.map(drop)
    }

    async fn get(&self, extra: Duration) -> Result<ByteStream> {
        let mut call = Call::get(format!("download {}", self.path), Target::new(API).path(&self.path));
        call.answer = Answer::Stream;
        call.extra_patience = extra;
        let doing = call.doing.clone();
        let reply = self.http.send(call).await?;
        Ok(reply.into_stream(doing, self.http.options().idle_timeout))
    }
}

/// Returns how much longer than other calls one may take that moves so many bytes.
fn patience(bytes: u64) -> Duration {
    Duration::from_secs(bytes / MIN_BYTES_PER_SECOND)
}
