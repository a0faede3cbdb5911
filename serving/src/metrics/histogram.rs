//! How long things took, in buckets.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{MetricEncoder, NoLabelSet};

/// Upper bounds of the buckets in microseconds. From a tenth of a millisecond, which a small model needs, in steps of two to
/// 2.5 up to the seconds at which callers give up.
const BOUNDS: [u32; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

/// A histogram that is added to without a lock, which the crate's own has.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BOUNDS.len()],
    beyond: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Histogram {
    pub(super) fn observe(&self, time: Duration) {
        let place = BOUNDS.iter().position(|bound| time <= Duration::from_micros((*bound).into()));
        place.map_or(&self.beyond, |place| &self.buckets[place]).fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts().iter().all(|(_, count)| *count == 0)
    }

    pub(super) fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let counts = self.counts();
        let count = counts.iter().map(|(_, count)| count).sum();
        let sum = Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed));
        encoder.encode_histogram::<NoLabelSet>(sum.as_secs_f64(), count, &counts, None)
    }

    /// Returns the counts of all buckets by their bounds in seconds; the last has none.
    fn counts(&self) -> [(f64, u64); BOUNDS.len() + 1] {
        std::array::from_fn(|place| match (BOUNDS.get(place), self.buckets.get(place)) {
            (Some(bound), Some(count)) => (f64::from(*bound) / 1e6, count.load(Ordering::Relaxed)),
            _ => (f64::INFINITY, self.beyond.load(Ordering::Relaxed)),
        })
    }
}
