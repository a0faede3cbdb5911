//! One store for all locations: each goes to the store that its kind needs.

use std::fs::File;
use std::sync::Arc;

use crate::{
    ArtifactEntry, ArtifactPath, ArtifactStore, BoxFuture, ByteStream, Claim, Content, Digest, Error,
    ErrorKind, Location, PutOptions, Result,
};

/// The stores of one registry, by kind of location.
#[derive(Debug, Clone, Default)]
pub struct RoutedArtifacts {
    local: Option<Arc<dyn ArtifactStore>>,
    proxy: Option<Arc<dyn ArtifactStore>>,
    s3: Option<Arc<dyn ArtifactStore>>,
}

impl RoutedArtifacts {
    /// Returns a store that has no place to put anything yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends locations of local folders to this store.
    #[must_use]
    pub fn local(self, store: Arc<dyn ArtifactStore>) -> Self {
        Self { local: Some(store), ..self }
    }

    /// Sends locations behind an artifact proxy to this store.
    #[must_use]
    pub fn proxy(self, store: Arc<dyn ArtifactStore>) -> Self {
        Self { proxy: Some(store), ..self }
    }

    /// Sends locations in S3 buckets to this store.
    #[must_use]
    pub fn s3(self, store: Arc<dyn ArtifactStore>) -> Self {
        Self { s3: Some(store), ..self }
    }

    fn of(&self, root: &Location) -> Result<&dyn ArtifactStore> {
        let (store, advice) = match root {
            Location::File(_) => {
                (&self.local, "start `mlflow server` with --serve-artifacts, so that it passes them on")
            }
            Location::Proxy { .. } => (&self.proxy, "connect to the MLflow server that serves them"),
            Location::S3 { .. } => (&self.s3, "build this crate with its feature `s3`"),
        };
        store.as_deref().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("cannot reach the artifacts at {root}: {advice}"))
        })
    }
}

impl ArtifactStore for RoutedArtifacts {
    fn put<'a>(
        &'a self,
        root: &'a Location,
        path: &'a ArtifactPath,
        content: Content,
        options: PutOptions,
    ) -> BoxFuture<'a, Result<Digest>> {
        Box::pin(async move { self.of(root)?.put(root, path, content, options).await })
    }

    fn get<'a>(&'a self, root: &'a Location, path: &'a ArtifactPath) -> BoxFuture<'a, Result<ByteStream>> {
        Box::pin(async move { self.of(root)?.get(root, path).await })
    }

    fn local_file<'a>(
        &'a self,
        root: &'a Location,
        path: &'a ArtifactPath,
    ) -> BoxFuture<'a, Result<Option<File>>> {
        Box::pin(async move { self.of(root)?.local_file(root, path).await })
    }

    fn list<'a>(
        &'a self,
        root: &'a Location,
        folder: Option<&'a ArtifactPath>,
    ) -> BoxFuture<'a, Result<Vec<ArtifactEntry>>> {
        Box::pin(async move { self.of(root)?.list(root, folder).await })
    }

    fn stat<'a>(
        &'a self,
        root: &'a Location,
        path: &'a ArtifactPath,
    ) -> BoxFuture<'a, Result<ArtifactEntry>> {
        Box::pin(async move { self.of(root)?.stat(root, path).await })
    }

    fn delete_prefix<'a>(&'a self, root: &'a Location, path: &'a ArtifactPath) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.of(root)?.delete_prefix(root, path).await })
    }

    fn claim<'a>(&'a self, root: &'a Location) -> BoxFuture<'a, Result<Claim>> {
        Box::pin(async move { self.of(root)?.claim(root).await })
    }
}
