//! The layer.

use std::time::Duration;

use tower::Layer;

use super::ReadBody;
use crate::Limits;

/// Puts [`ReadBody`] around a service.
#[derive(Debug, Clone)]
pub struct ReadBodyLayer {
    bytes: usize,
    within: Duration,
}

impl ReadBodyLayer {
    /// Creates the layer with [`Limits::body_bytes`] and [`Limits::body_read`].
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { bytes: limits.body_bytes, within: limits.body_read }
    }
}

impl<S> Layer<S> for ReadBodyLayer {
    type Service = ReadBody<S>;

    fn layer(&self, inner: S) -> ReadBody<S> {
        ReadBody::new(inner, self.bytes, self.within)
    }
}
