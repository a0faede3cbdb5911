//! What a backend has to be able to do: three traits, object-safe, so that a user can bring another backend or a test double.

mod artifacts;
mod content;
mod models;
mod tracking;

use std::future::Future;
use std::pin::Pin;

pub use artifacts::{ArtifactEntry, ArtifactKind, ArtifactStore, Claim, Overwrite, PutOptions};
pub use content::{ByteStream, Content};
pub use models::ModelRegistry;
pub use tracking::TrackingStore;

/// A boxed future: what makes an async trait object-safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
