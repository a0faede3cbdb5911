//! Tower layers, each usable alone around any HTTP service.

pub mod access_log;
pub mod admission;
pub mod deadline;
#[cfg(feature = "compression")]
pub mod decompress;
pub mod edge;
pub mod metrics;
pub mod observe;
pub mod orca;
pub mod read_body;
