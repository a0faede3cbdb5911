//! The accept loop: connections in, answers out, and an end without loss.

mod accept;
mod config;
mod connection;
mod drain;
pub(crate) mod refusal;
mod stats;

pub use accept::{BACKLOG, listen, serve};
pub use config::ServerConfig;
pub use stats::{ConnectionCounts, ConnectionStats};
