//! URIs of models and of places for artifacts: pure parsers, no look at a disk or a network.

mod location;
mod model;
mod path;

pub use location::Location;
pub use model::ModelUri;
pub use path::ArtifactPath;
