//! A histogram of durations, exact to three digits at any length.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Significant decimal digits that every recorded duration keeps: an error of at most 0.1 %.
const DIGITS: u8 = 3;

/// The longest duration that is told apart, which bounds the memory of a histogram to 300 kB.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Durations in an HDR histogram: microseconds, three significant digits, growing as needed.
///
/// Every value that it returns is within 0.1 % (and one microsecond) of the recorded one
/// (Gil Tene, [HdrHistogram](https://hdrhistogram.org)).
///
/// ```
/// use std::time::Duration;
/// use martello_load_test::Latencies;
///
/// let mut latencies = Latencies::new();
/// (1..=1000).for_each(|ms| latencies.record(Duration::from_millis(ms)));
/// let p95 = latencies.percentile(95.0);
/// assert!(p95.abs_diff(Duration::from_millis(950)) < Duration::from_millis(1));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

impl Latencies {
    /// Creates an empty histogram.
    #[must_use]
    pub fn new() -> Self {
        Self(Histogram::new(DIGITS).expect("three digits are within what the histogram allows"))
    }

    /// Counts one duration; what is longer than a day counts as a day.
    pub fn record(&mut self, duration: Duration) {
        // Growing is left to `record`: `saturating_record` clamps to the present size instead.
        self.0.record(micros(duration)).expect("a growing histogram takes every value");
    }

    /// Adds everything that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("a growing histogram takes every value of another");
    }

    /// Returns how many durations were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Returns the smallest duration that at least `percent` (0 to 100) of all stay within; zero when empty.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(percent / 100.0))
    }

    /// Returns the shortest duration; zero when empty.
    #[must_use]
    pub fn min(&self) -> Duration {
        Duration::from_micros(self.0.min())
    }

    /// Returns the longest duration; zero when empty.
    #[must_use]
    pub fn max(&self) -> Duration {
        Duration::from_micros(self.0.max())
    }

    /// Returns the arithmetic mean; zero when empty.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::try_from_secs_f64(self.0.mean() / 1e6).unwrap_or_default()
    }

    /// Returns the share (0 to 1) of durations within `limit`; 1 when empty.
    #[must_use]
    pub fn share_within(&self, limit: Duration) -> f64 {
        if self.0.is_empty() {
            return 1.0;
        }
        self.0.quantile_below(micros(limit))
    }

    /// Calls `visit` with every recorded duration (the upper end of its bucket) and its count.
    pub(crate) fn for_each_recorded(&self, mut visit: impl FnMut(Duration, u64)) {
        for bucket in self.0.iter_recorded() {
            visit(Duration::from_micros(bucket.value_iterated_to()), bucket.count_at_value());
        }
    }

    #[cfg(feature = "histogram-log")]
    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    /// `None` for a histogram of another precision, whose figures could not be compared.
    #[cfg(feature = "histogram-log")]
    pub(crate) fn from_histogram(histogram: &Histogram<u64>) -> Option<Self> {
        let mut latencies = Self::new();
        (histogram.sigfig() == DIGITS).then_some(())?;
        latencies.0.add(histogram).ok()?;
        Some(latencies)
    }

    /// Forgets everything and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.min(LONGEST).as_micros()).expect("a day has fewer than 2^64 microseconds")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_histogram_answers_zero() {
        let empty = Latencies::new();
        assert_eq!((empty.count(), empty.percentile(99.0), empty.max()), (0, Duration::ZERO, Duration::ZERO));
        assert_eq!((empty.min(), empty.mean()), (Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn a_duration_beyond_all_measure_is_counted() {
        let mut latencies = Latencies::new();
        latencies.record(Duration::MAX);
        assert_eq!(latencies.count(), 1);
        assert!(latencies.max() >= LONGEST);
    }

    proptest! {
        #[test]
        fn percentiles_are_within_a_thousandth_of_the_exact_ones(
            mut micros in prop::collection::vec(1_u64..100_000_000, 1..500), percent in 0.1..100.0_f64
        ) {
            let mut latencies = Latencies::new();
            micros.iter().for_each(|one| latencies.record(Duration::from_micros(*one)));
            micros.sort_unstable();
            let rank = ((percent / 100.0 * micros.len() as f64).ceil() as usize).clamp(1, micros.len());
            let exact = micros[rank - 1] as f64;
            let found = latencies.percentile(percent).as_secs_f64() * 1e6;
            prop_assert!((found - exact).abs() <= exact * 0.001 + 1.0, "{found} instead of {exact}");
        }

        #[test]
        fn merging_parts_equals_recording_all(parts in prop::collection::vec(prop::collection::vec(0_u64..10_000_000, 0..50), 1..5)) {
            let (mut merged, mut all) = (Latencies::new(), Latencies::new());
            for part in &parts {
                let mut one = Latencies::new();
                for micros in part {
                    one.record(Duration::from_micros(*micros));
                    all.record(Duration::from_micros(*micros));
                }
                merged.merge(&one);
            }
            prop_assert_eq!(merged, all);
        }
    }
}
