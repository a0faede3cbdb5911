//! The accept loop: connections in, answers out, and an end without loss.

mod accept;
mod config;
mod connection;
mod drain;
pub(crate) mod refusal;
mod stats;
mod workers;

pub use accept::{BACKLOG, listen, serve};
pub(crate) use accept::{listen_beside, serve_until};
pub use config::ServerConfig;
pub use stats::{ConnectionCounts, ConnectionStats};
pub(crate) use workers::number as worker_number;
