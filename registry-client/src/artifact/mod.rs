//! Stores for artifacts, one file or folder each.

mod local;
#[cfg(feature = "rest")]
mod promise;
#[cfg(feature = "rest")]
mod proxy;
#[cfg(feature = "rest")]
mod route;

pub use local::LocalArtifacts;
#[cfg(feature = "rest")]
pub use proxy::ProxyArtifacts;
#[cfg(feature = "rest")]
pub use route::RoutedArtifacts;
