#![doc = include_str!("../README.md")]

mod artifact;
mod blocking;
mod cache;
mod config;
mod digest;
mod disk;
mod embedded;
#[cfg(feature = "rest")]
mod environment;
mod error;
mod fetch;
#[cfg(feature = "rest")]
mod http;
mod manifest;
mod publish;
mod registry;
mod resolve;
#[cfg(feature = "rest")]
pub mod rest;
mod store;
mod transfer;
mod types;
mod uri;
mod watch;

pub use artifact::LocalArtifacts;
#[cfg(feature = "s3")]
pub use artifact::{Addressing, S3Artifacts, S3Credentials, S3Options};
#[cfg(feature = "rest")]
pub use artifact::{ProxyArtifacts, RoutedArtifacts};
use blocking::blocking;
pub use bytes::Bytes;
pub use cache::{Cache, CachedModel, FetchedModel, Freshness};
pub use config::{TRACKING_URI_VARIABLE, TrackingUri};
pub use digest::Digest;
pub use embedded::{DATABASE_FILE, EmbeddedOptions, Garbage, GarbageReason, Sweeper};
pub use error::{Error, ErrorKind, Result};
pub use fetch::FetchProgress;
pub use manifest::{MANIFEST_FILE, Manifest, ManifestFile};
pub use publish::{MANIFEST_TAG, Publication, REQUEST_ID_TAG};
pub use registry::Registry;
pub use resolve::Resolved;
pub use store::{
    ArtifactEntry, ArtifactKind, ArtifactStore, BoxFuture, ByteStream, Claim, Content, ModelRegistry,
    Overwrite, PutOptions, TrackingStore,
};
pub use types::{
    AliasName, Comparison, Condition, ExistingVersions, Experiment, Lifecycle, Metric, ModelField, ModelName,
    ModelVersion, NewExperiment, NewModel, NewRun, NewVersion, Page, PageToken, Promotion, Query,
    RegisteredModel, Run, RunBatch, RunField, RunStatus, Stage, Tags, Timestamp, Value, VersionField,
    VersionStatus,
};
pub use uri::{ArtifactPath, Location, ModelUri};
pub use watch::{Watch, WatchEvent, WatchOptions};
