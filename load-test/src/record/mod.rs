//! What is measured while a test runs, and how it is kept.

mod bins;
mod endpoints;
mod latencies;
mod recorder;
mod statistics;

pub(crate) use bins::Bins;
pub use endpoints::EndpointCounts;
pub(crate) use endpoints::Endpoints;
pub use latencies::Latencies;
pub(crate) use recorder::{Recorder, Sample};
#[cfg(feature = "histogram-log")]
pub(crate) use statistics::Counts;
pub use statistics::{RequestStatistics, Statistics};
