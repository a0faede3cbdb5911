//! What the balancer knows of itself: one [`Snapshot`], and the texts made from it.

mod snapshot;

pub use self::snapshot::{EndpointSnapshot, LatencySnapshot, Snapshot};
