//! How long an attempt may take before a request is tried elsewhere.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How long one attempt may take before a request that may be repeated is given to another endpoint.
///
/// The limit follows what the endpoints show: it is a multiple of the slowest of their recent answers, and never
/// below the floor. An attempt is only given up when an endpoint that is believed to work has not been tried yet;
/// otherwise it goes on, and an answer that comes late teaches that such times are usual. So a service that takes
/// seconds for every answer is found out within a few requests, and is not asked twice from then on.
///
/// ```
/// use std::time::Duration;
/// use martello_balancer::{Balancer, TryTimeout};
///
/// let patient = TryTimeout { floor: Duration::from_secs(2), ..TryTimeout::default() };
/// let builder = Balancer::builder().try_timeout(patient);
/// # drop(builder);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TryTimeout {
    /// The least that an attempt may take. 500 ms by default: some hundred times what a prediction takes and
    /// longer than the pauses of a garbage collector, while a client that waits for it still gets its answer
    /// before it wonders.
    pub floor: Duration,
    /// How many times as long as the slowest of the recent answers an attempt may take. 5 by default: when all
    /// endpoints are busy their answers become slower one by one, not five times slower from one to the next.
    pub multiple: u32,
}

impl TryTimeout {
    /// No attempt is given up.
    pub const NEVER: Self = Self { floor: Duration::MAX, multiple: 0 };
}

impl Default for TryTimeout {
    fn default() -> Self {
        Self { floor: Duration::from_millis(500), multiple: 5 }
    }
}

/// By how much a peak shrinks with each answer that is faster: it is halved after 177 of them.
const DECAY: u64 = 256;

/// The limit of a [`TryTimeout`] as it is now.
#[derive(Debug)]
pub(crate) struct Patience {
    settings: TryTimeout,
    /// The slowest recent answer, in microseconds.
    slowest: AtomicU64,
    /// Answers up to this many microseconds leave the limit at its floor.
    usual: u64,
}

impl Patience {
    pub(crate) fn new(settings: TryTimeout) -> Self {
        let usual = settings.floor.as_micros() / u128::from(settings.multiple.max(1));
        Self { settings, slowest: AtomicU64::new(0), usual: u64::try_from(usual).unwrap_or(u64::MAX) }
    }

    /// Learns how long an answer took. Where all are fast, the usual case, that costs one load.
    pub(crate) fn learn(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let slowest = self.slowest.load(Ordering::Relaxed);
        if took.max(slowest) <= self.usual {
            return;
        }
        if took >= slowest {
            self.slowest.fetch_max(took, Ordering::Relaxed);
        } else {
            // An answer that is counted at the same time and missed here is one of many.
            self.slowest.store(slowest - slowest / DECAY, Ordering::Relaxed);
        }
    }

    /// Returns how long an attempt may take; `None` for as long as it likes.
    pub(crate) fn limit(&self) -> Option<Duration> {
        if self.settings.floor == Duration::MAX {
            return None;
        }
        let slowest = Duration::from_micros(self.slowest.load(Ordering::Relaxed));
        Some(slowest.saturating_mul(self.settings.multiple).max(self.settings.floor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_follows_the_slowest_answers_and_comes_back() {
        let patience = Patience::new(TryTimeout::default());
        let floor = TryTimeout::default().floor;
        patience.learn(Duration::from_millis(90));
        assert_eq!(patience.limit(), Some(floor));
        patience.learn(Duration::from_secs(3));
        assert_eq!(patience.limit(), Some(Duration::from_secs(15)));
        (0..177).for_each(|_| patience.learn(Duration::from_millis(2)));
        let halved = patience.limit().unwrap().as_secs_f64();
        assert!((7.4..7.6).contains(&halved), "{halved}");
        (0..2_000).for_each(|_| patience.learn(Duration::from_millis(2)));
        assert_eq!(patience.limit(), Some(floor));
    }

    #[test]
    fn never_is_never() {
        let patience = Patience::new(TryTimeout::NEVER);
        patience.learn(Duration::from_secs(1));
        assert_eq!(patience.limit(), None);
    }
}
