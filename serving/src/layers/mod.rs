//! Tower layers, each usable alone around any HTTP service.

pub mod admission;
pub mod read_body;
