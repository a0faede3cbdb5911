//! Artifacts in S3 buckets, straight from this process (`s3:`), over the minio crate.
//!
//! The crate signs, sends and reads; around it stand a time limit and retries for every call, uploads in parts of bounded size
//! that leave nothing behind when they fail, and downloads that go on where a connection broke.

mod client;
mod download;
mod failure;
mod listing;
mod options;
mod upload;

pub use options::{Addressing, S3Credentials, S3Options};

use std::sync::{Arc, OnceLock};

use client::{Client, Object};

use super::promise;
use crate::{
    ArtifactEntry, ArtifactKind, ArtifactPath, ArtifactStore, BoxFuture, ByteStream, Content, Digest, Error,
    ErrorKind, Location, Overwrite, PutOptions, Result,
};

/// Artifacts in S3 buckets.
///
/// ```no_run
/// # async fn example() -> Result<(), martello_registry_client::Error> {
/// use martello_registry_client::{ArtifactStore, S3Artifacts, S3Options};
///
/// let artifacts = S3Artifacts::new(S3Options::from_env()?)?;
/// for entry in artifacts.list(&"s3://models/1".parse()?, None).await? {
///     println!("{} {:?}", entry.path, entry.kind);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct S3Artifacts {
    client: Arc<OnceLock<Client>>,
}

impl S3Artifacts {
    /// Returns a store; no connection is made before it is needed.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when the endpoint, the region or a certificate cannot be used.
    pub fn new(options: S3Options) -> Result<Self> {
        Ok(Self { client: Arc::new(OnceLock::from(Client::new(options)?)) })
    }

    /// Returns a store that reads the environment when it is first used: whoever needs no bucket needs no setting to be right.
    pub fn from_env() -> Self {
        Self { client: Arc::default() }
    }

    fn client(&self) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::new(S3Options::from_env()?)?;
        Ok(self.client.get_or_init(|| client))
    }

    fn object(&self, root: &Location, path: Option<&ArtifactPath>) -> Result<Object> {
        let Location::S3 { bucket, key } = root else {
            return Err(Error::invalid(format!("{root} is not in an S3 bucket")));
        };
        let base = key.trim_matches('/');
        let key = match path {
            Some(path) if base.is_empty() => path.to_string(),
            Some(path) => format!("{base}/{path}"),
            None => base.to_owned(),
        };
        Ok(Object { bucket: bucket.clone(), key })
    }
}

impl ArtifactStore for S3Artifacts {
    fn put<'a>(
        &'a self,
        root: &'a Location,
        path: &'a ArtifactPath,
        content: Content,
        options: PutOptions,
    ) -> BoxFuture<'a, Result<Digest>> {
        Box::pin(async move {
            let object = self.object(root, Some(path))?;
            let kept = promise::keep(path, &content, &options).await?;
            if options.overwrite == Overwrite::Refuse && self.client()?.size(&object).await?.is_some() {
                return Err(Error::new(ErrorKind::AlreadyExists, format!("{object} exists already")));
            }
            upload::upload(self.client()?, &object, content, &kept).await
        })
    }

    fn get<'a>(&'a self, root: &'a Location, path: &'a ArtifactPath) -> BoxFuture<'a, Result<ByteStream>> {
        Box::pin(
            async move { download::download(self.client()?.clone(), self.object(root, Some(path))?).await },
        )
    }

    fn list<'a>(
        &'a self,
        root: &'a Location,
        folder: Option<&'a ArtifactPath>,
    ) -> BoxFuture<'a, Result<Vec<ArtifactEntry>>> {
        Box::pin(async move {
            let listed = listing::children(self.client()?, &self.object(root, folder)?).await?;
            let mut entries = Vec::with_capacity(listed.len());
            for (name, kind) in listed.into_iter().filter(|(name, _)| !name.is_empty()) {
                let name: ArtifactPath = name.parse()?;
                let path = match folder {
                    Some(folder) => folder.join(&name)?,
                    None => name,
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
            let object = self.object(root, Some(path))?;
            if let Some(size) = self.client()?.size(&object).await? {
                return Ok(ArtifactEntry { path: path.clone(), kind: ArtifactKind::File(size) });
            }
            match listing::children(self.client()?, &object).await?.is_empty() {
                true => Err(Error::not_found(format!("there is no artifact {object}"))),
                false => Ok(ArtifactEntry { path: path.clone(), kind: ArtifactKind::Folder }),
            }
        })
    }

    fn delete_prefix<'a>(&'a self, root: &'a Location, path: &'a ArtifactPath) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { listing::delete(self.client()?, &self.object(root, Some(path))?).await })
    }
}
