//! When a request came.

use std::time::Instant;

/// When a request came, as an extension of the request: what it has waited since counts for its admission.
///
/// The [`server`](crate::server) adds it to a request that it could not take up at once, since its event loop was busy with
/// others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived(pub Instant);
