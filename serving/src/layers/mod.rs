//! Tower layers, each usable alone around any HTTP service.

pub mod access_log;
pub mod admission;
pub mod deadline;
pub mod read_body;
