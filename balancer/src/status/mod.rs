//! What the balancer knows of itself: one [`Snapshot`], and the texts made from it.

mod live;
mod nginx;
mod paths;
mod prometheus;
mod snapshot;

pub use self::{
    nginx::nginx_status,
    paths::StatusPaths,
    prometheus::prometheus,
    snapshot::{EndpointSnapshot, LatencySnapshot, Snapshot},
};
