//! Counting what is in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A number of permits, shared by all clones of a service.
#[derive(Debug, Clone)]
pub(super) struct Permits {
    in_flight: Arc<AtomicUsize>,
    most: usize,
}

/// The right to be in flight, given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    in_flight: Arc<AtomicUsize>,
}

impl Permits {
    pub(super) fn new(most: usize) -> Self {
        Self { in_flight: Arc::default(), most }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn acquire(&self) -> Option<Permit> {
        // Relaxed: only the number matters, nothing is published with it.
        let more = |in_flight| (in_flight < self.most).then_some(in_flight + 1);
        self.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Permit { in_flight: Arc::clone(&self.in_flight) })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
