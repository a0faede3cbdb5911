//! Takes request bodies that were compressed with gzip or deflate; needs the feature `compression`.
//!
//! [`Limits::body_bytes`](crate::Limits::body_bytes) counts what comes out, so a small body that unfolds into a large one is
//! answered 413 as soon as it is seen. Without this layer a compressed body is answered 415.
//!
//! ```
//! use martello_serving::{Replica, layers::decompress};
//!
//! let replica = Replica::builder().layer(decompress::layer());
//! ```

pub use tower_http::decompression::{RequestDecompression, RequestDecompressionLayer};

/// Creates the layer; another coding is answered 415 with the ones that are taken.
#[must_use]
pub fn layer() -> RequestDecompressionLayer {
    RequestDecompressionLayer::new()
}
