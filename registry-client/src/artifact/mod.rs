//! Stores for artifacts, one file or folder each.

mod local;

pub use local::LocalArtifacts;
