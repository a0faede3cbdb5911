//! The accept loop: connections in, answers out, and an end without loss.

mod stats;

pub use stats::{ConnectionCounts, ConnectionStats};
