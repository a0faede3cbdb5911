//! Many replicas look like one: tower services behind a round robin, and an HTTP/1.1 proxy around it.

mod endpoint;
mod error;
mod h1;
mod server;

pub use endpoint::EndpointConfig;
pub use error::{Error, ErrorKind, Fault, Stage};
pub use h1::{Body, Limits};
pub use server::{ConnectionCounts, ConnectionStats};
