//! A histogram coarse enough to be kept for every second: what a heat map needs.

use std::time::Duration;

use crate::record::Latencies;

/// Bins in each power of ten: a bin's ends are 47 % apart, which an eye can tell in a picture.
const PER_DECADE: u32 = 6;

/// The lower end of the first bin, in microseconds; what is shorter is counted there.
const FIRST_MICROS: f64 = 10.0;

/// 10 µs to 100 s are seven powers of ten; what is longer is counted in the last bin.
const COUNT: usize = 7 * PER_DECADE as usize;

/// Counts of durations in bins of equal width on a logarithmic scale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bins(Box<[u64; COUNT]>);

impl Bins {
    pub(crate) fn empty() -> Self {
        Self(Box::new([0; COUNT]))
    }

    pub(crate) fn of(latencies: &Latencies) -> Self {
        let mut bins = Self::empty();
        latencies.for_each_recorded(|duration, count| bins.0[place(duration)] += count);
        bins
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(mine, theirs)| *mine += theirs);
    }

    pub(crate) fn counts(&self) -> &[u64] {
        &self.0[..]
    }

    /// The duration at which the bin at `place` begins.
    pub(crate) fn start(place: usize) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "there are 42 bins")]
        let micros = FIRST_MICROS * 10_f64.powf(place as f64 / f64::from(PER_DECADE));
        Duration::from_secs_f64(micros / 1e6)
    }
}

fn place(duration: Duration) -> usize {
    let decades = (duration.as_secs_f64() * 1e6 / FIRST_MICROS).log10();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "negative ones become 0")]
    let place = (decades * f64::from(PER_DECADE)).max(0.0) as usize;
    place.min(COUNT - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_falls_into_one_bin_whose_ends_enclose_it() {
        for micros in [10, 11, 99, 101, 1_500, 20_000, 999_000, 80_000_000] {
            let duration = Duration::from_micros(micros);
            let found = place(duration);
            assert!(Bins::start(found) <= duration && duration < Bins::start(found + 1), "{micros}: {found}");
        }
        assert_eq!([place(Duration::ZERO), place(Duration::MAX)], [0, COUNT - 1]);
    }

    #[test]
    fn no_duration_is_lost() {
        let mut latencies = Latencies::new();
        for micros in [0, 5, 10, 1_000, 1_000, 500_000_000] {
            latencies.record(Duration::from_micros(micros));
        }
        let mut bins = Bins::of(&latencies);
        bins.add(&Bins::of(&latencies));
        assert_eq!(bins.counts().iter().sum::<u64>(), 12);
    }
}
