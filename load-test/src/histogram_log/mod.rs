//! Histogram logs: what several generators measured, kept whole, so that it can be one report afterwards.
//!
//! A percentile of percentiles means nothing; histograms add up. Each generator writes a [`HistogramLog`], and
//! [`merge`] reads them all. The file is an
//! [HdrHistogram log](https://github.com/HdrHistogram/HdrHistogram/blob/master/src/main/java/org/HdrHistogram/HistogramLogWriter.java)
//! with histograms in its V2 encoding, in microseconds, one a second under each of these tags:
//!
//! * `0:POST:/predict` and so on: requests that passed their check, by the place of the request in the plan
//! * `0:POST:/predict!failed`: requests that did not
//! * `lateness`: how late the generator itself was
//!
//! So other tools read it too. What is no histogram (users, kinds of failures, replicas) stands in comments that
//! begin with `#[martello] `, which they pass over.

mod merge;
mod read;
mod words;
mod write;

pub use merge::merge;
pub use read::MAX_LOG_BYTES;
pub use write::HistogramLog;
