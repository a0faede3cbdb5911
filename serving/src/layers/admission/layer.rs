//! The layer.

use tower::Layer;

use super::Admission;

/// Puts [`Admission`] around a service; every service made by one layer counts for itself.
#[derive(Debug, Clone)]
pub struct AdmissionLayer {
    in_flight: usize,
}

impl AdmissionLayer {
    /// Admits that many requests at once.
    #[must_use]
    pub fn new(in_flight: usize) -> Self {
        Self { in_flight }
    }
}

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admission<S>;

    fn layer(&self, inner: S) -> Admission<S> {
        Admission::new(inner, self.in_flight)
    }
}
