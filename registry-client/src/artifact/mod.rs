//! Stores for artifacts, one file or folder each.

mod local;
#[cfg(feature = "rest")]
mod promise;
#[cfg(feature = "rest")]
mod proxy;
#[cfg(feature = "rest")]
mod ranges;
#[cfg(feature = "rest")]
mod route;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "rest")]
mod source;
#[cfg(any(feature = "rest", feature = "s3"))]
mod under_way;

pub use local::LocalArtifacts;
#[cfg(feature = "rest")]
pub use proxy::ProxyArtifacts;
#[cfg(feature = "rest")]
pub use route::RoutedArtifacts;
#[cfg(feature = "s3")]
pub use s3::{Addressing, S3Artifacts, S3Credentials, S3Options};
