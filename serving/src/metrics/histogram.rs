//! How long things took, in buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::exposition::Exposition;

/// Upper bounds of the buckets in microseconds, and as Prometheus wants them, in seconds. From a tenth of a millisecond,
/// which a small model needs, in steps of two to 2.5 up to the seconds at which callers give up.
const BOUNDS: [(u64, &str); 16] = [
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
];

#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BOUNDS.len()],
    beyond: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Histogram {
    pub(super) fn observe(&self, time: Duration) {
        let place = BOUNDS.iter().position(|(bound, _)| time <= Duration::from_micros(*bound));
        place.map_or(&self.beyond, |place| &self.buckets[place]).fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Writes the buckets, sum and count; nothing if nothing was observed.
    pub(super) fn write(&self, name: &str, label: (&str, &str), out: &mut Exposition) {
        let counts: Vec<u64> = self.buckets.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let count = counts.iter().sum::<u64>() + self.beyond.load(Ordering::Relaxed);
        if count == 0 {
            return;
        }
        let bucket = format!("{name}_bucket");
        let mut up_to = 0;
        for ((_, bound), count) in BOUNDS.iter().zip(counts) {
            up_to += count;
            out.sample(&bucket, &[label, ("le", bound)], up_to);
        }
        out.sample(&bucket, &[label, ("le", "+Inf")], count);
        let sum = Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed));
        out.sample(&format!("{name}_sum"), &[label], sum.as_secs_f64());
        out.sample(&format!("{name}_count"), &[label], count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_counts_everything_up_to_its_bound() {
        let histogram = Histogram::default();
        for microseconds in [100, 101, 30_000_000] {
            histogram.observe(Duration::from_micros(microseconds));
        }
        let mut out = Exposition::default();
        histogram.write("t", ("d", "x"), &mut out);
        let text = out.finish();
        for line in [
            "t_bucket{d=\"x\",le=\"0.0001\"} 1\n",
            "t_bucket{d=\"x\",le=\"0.00025\"} 2\n",
            "t_bucket{d=\"x\",le=\"10\"} 2\n",
            "t_bucket{d=\"x\",le=\"+Inf\"} 3\n",
            "t_sum{d=\"x\"} 30.000201\n",
            "t_count{d=\"x\"} 3\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
