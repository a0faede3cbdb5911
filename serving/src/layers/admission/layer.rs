//! The layer.

use std::time::Duration;

use tower::Layer;

use super::Admission;
use crate::Workers;

/// Puts [`Admission`] around a service; every service made by one layer counts for itself.
#[derive(Debug, Clone)]
pub struct AdmissionLayer {
    in_flight: usize,
    delays: Option<(Duration, Duration)>,
    workers: Option<Workers>,
}

impl AdmissionLayer {
    /// Admits that many requests at once.
    #[must_use]
    pub fn new(in_flight: usize) -> Self {
        Self { in_flight, delays: None, workers: None }
    }

    /// Admits only who will not wait longer than `target`, or than `burst` while the queue has not stood for that long.
    #[must_use]
    pub fn with_delays(mut self, target: Duration, burst: Duration) -> Self {
        self.delays = Some((target, burst));
        self
    }

    /// Counts what waits for these workers as part of the wait.
    #[must_use]
    pub fn with_workers(mut self, workers: Workers) -> Self {
        self.workers = Some(workers);
        self
    }
}

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admission<S>;

    fn layer(&self, inner: S) -> Admission<S> {
        let mut admission = Admission::new(inner, self.in_flight);
        if let Some((target, burst)) = self.delays {
            admission = admission.with_delays(target, burst);
        }
        match &self.workers {
            Some(workers) => admission.with_workers(workers.clone()),
            None => admission,
        }
    }
}
