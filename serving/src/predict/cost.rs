//! What a model takes for a batch, learned from the batches before.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Batches are told apart by the power of four of their rows: a model takes less for a row of many than for one alone.
const SIZES: usize = 8;

/// How much a new measurement counts. An eighth: a change is learned within some tens of batches.
const WEIGHT: u64 = 8;

/// One batch of so many is measured when there are many: two looks at the clock cost as much as a small model.
const MEASURED: u32 = 16;

/// The mean time for a row, by the size of the batch, in units of 2⁻⁸ nanoseconds.
///
/// Relaxed throughout: a measurement that is lost to another changes nothing.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    mean: [AtomicU64; SIZES],
    last: [AtomicU64; SIZES],
    asked: AtomicU32,
}

impl Cost {
    /// Returns true if the next batch is to be measured.
    pub(crate) fn is_due(&self) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(MEASURED)
    }

    /// Learns from a batch. What an interrupted thread measures is too long once; so of two measurements in a row the
    /// smaller counts.
    pub(crate) fn learn(&self, rows: usize, took: Duration) {
        let size = size(rows);
        let measured = u64::try_from((took.as_nanos() << 8) / rows.max(1) as u128).unwrap_or(u64::MAX).max(1);
        let before = self.last[size].swap(measured, Ordering::Relaxed);
        let sample = if before == 0 { measured } else { measured.min(before) };
        let mean = self.mean[size].load(Ordering::Relaxed);
        let mean = if mean == 0 { sample } else { mean - mean / WEIGHT + sample / WEIGHT };
        self.mean[size].store(mean.max(1), Ordering::Relaxed);
    }

    /// Returns what a batch will take; nothing for a model that was never asked.
    pub(crate) fn of(&self, rows: usize) -> Duration {
        let size = size(rows);
        // The nearest size that is known, smaller ones first: they rather say too much than too little.
        let near = (0..=size).rev().chain(size + 1..SIZES);
        let mean =
            near.map(|size| self.mean[size].load(Ordering::Relaxed)).find(|mean| *mean > 0).unwrap_or(0);
        Duration::from_nanos(mean.saturating_mul(rows as u64) >> 8)
    }
}

fn size(rows: usize) -> usize {
    (rows.max(1).ilog2() as usize / 2).min(SIZES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICRO: Duration = Duration::from_micros(1);

    #[test]
    fn a_row_alone_and_a_row_of_many_are_learned_apart() {
        let cost = Cost::default();
        assert_eq!(cost.of(1000), Duration::ZERO);
        cost.learn(1, 50 * MICRO);
        assert_eq!(cost.of(1), 50 * MICRO);
        assert_eq!(cost.of(100), 5000 * MICRO);
        cost.learn(1000, 2000 * MICRO);
        assert_eq!(cost.of(1), 50 * MICRO);
        assert_eq!(cost.of(1000), 2000 * MICRO);
    }

    #[test]
    fn one_interruption_is_forgotten_and_a_change_is_learned() {
        let cost = Cost::default();
        let learn = |times, took| (0..times).for_each(|_| cost.learn(1, took));
        learn(3, 10 * MICRO);
        learn(1, 4000 * MICRO);
        learn(1, 10 * MICRO);
        assert!(cost.of(1) <= 11 * MICRO);
        learn(60, 4000 * MICRO);
        assert!(cost.of(1) >= 3900 * MICRO);
    }
}
