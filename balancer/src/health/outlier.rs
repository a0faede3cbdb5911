//! Passive health: an endpoint that fails several times in a row is ejected.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::FailureKind;

/// When an endpoint is ejected for its own failures, and for how long.
///
/// ```
/// use std::{num::NonZeroU32, time::Duration};
/// use martello_balancer::OutlierDetection;
///
/// let mut outliers = OutlierDetection::default();
/// outliers.consecutive_failures = NonZeroU32::new(3).ok_or("zero")?;
/// assert_eq!(outliers.ejection(1), Duration::from_secs(1));
/// assert_eq!(outliers.ejection(3), Duration::from_secs(4));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct OutlierDetection {
    /// Failures in a row that eject. Five by default, as in Envoy: an endpoint with a tenth of its
    /// answers wrong gets there once in 100,000 requests, a broken one at once.
    pub consecutive_failures: NonZeroU32,
    /// Failed connections in a row that eject. Two by default: one may fall into the moment of a
    /// restart, and after two nobody is there. Nothing is lost with them, since a request that could
    /// not be sent goes elsewhere.
    pub consecutive_connect_failures: NonZeroU32,
    /// Failures in a row, the last of which was that no answer came in time, that eject. Three by default: each
    /// of them kept somebody waiting, so there should not be many; one or two may be a pause.
    pub consecutive_timeouts: NonZeroU32,
    /// How often endpoints are compared with each other. Five seconds by default: at ten requests a second each that is
    /// enough to tell half from all, and a replica that fails now and then is out before people have noticed.
    pub comparison_interval: Duration,
    /// Attempts within that time from which on an endpoint is compared. 50 by default, so that one or two failures more
    /// are no reason.
    pub comparison_attempts: u32,
    /// An endpoint is ejected when its share of right answers is below this share, in per cent, of that of the others
    /// together. 85 by default, as Envoy's failure percentage: where all answer wrongly now and then, because of what
    /// they are asked, none is far below the others.
    pub comparison_percent: u8,
    /// How long the first ejection lasts; each further one in a row lasts twice as long. One second by
    /// default: a replica that restarts is missed for no longer than it takes to start.
    pub base_ejection: Duration,
    /// The longest ejection. 30 seconds by default: after that, waiting longer saves next to nothing,
    /// since all it costs is one request on trial.
    pub max_ejection: Duration,
    /// The share of the endpoints, in per cent, that may be out at once for answers that are wrong, slow
    /// or cut off; at least one. 50 by default: when most endpoints answer wrongly, what they are asked
    /// is more likely to be at fault than they are. An endpoint that takes no connections is ejected
    /// whatever this says: it serves nobody. So is one whose failures in a row were each followed by another
    /// endpoint's right answer to the same request: then it is not what was asked.
    pub ceiling_percent: u8,
}

impl Default for OutlierDetection {
    fn default() -> Self {
        Self {
            consecutive_failures: NonZeroU32::MIN.saturating_add(4),
            consecutive_connect_failures: NonZeroU32::MIN.saturating_add(1),
            consecutive_timeouts: NonZeroU32::MIN.saturating_add(2),
            comparison_interval: Duration::from_secs(5),
            comparison_attempts: 50,
            comparison_percent: 85,
            base_ejection: Duration::from_secs(1),
            max_ejection: Duration::from_secs(30),
            ceiling_percent: 50,
        }
    }
}

impl OutlierDetection {
    /// Returns settings under which no endpoint is ever ejected.
    pub fn never() -> Self {
        Self {
            consecutive_failures: NonZeroU32::MAX,
            consecutive_connect_failures: NonZeroU32::MAX,
            consecutive_timeouts: NonZeroU32::MAX,
            comparison_percent: 0,
            ..Self::default()
        }
    }

    /// Returns how long an ejection lasts that is the `nth` in a row, from 1.
    pub fn ejection(&self, nth: u32) -> Duration {
        let doubled =
            self.base_ejection.saturating_mul(1_u32.checked_shl(nth.saturating_sub(1)).unwrap_or(u32::MAX));
        doubled.min(self.max_ejection)
    }

    /// Returns whether this many failures in a row, the last of this kind, are too many.
    pub(crate) fn is_too_many(&self, in_a_row: u32, kind: FailureKind) -> bool {
        match kind {
            FailureKind::Leaving => true,
            FailureKind::Connect => in_a_row >= self.consecutive_connect_failures.get(),
            FailureKind::Timeout => in_a_row >= self.consecutive_timeouts.get(),
            _ => in_a_row >= self.consecutive_failures.get(),
        }
    }

    /// Returns whether so many failures in a row that others made good are too many.
    pub(crate) fn is_refuted(&self, in_a_row: u32) -> bool {
        in_a_row >= self.consecutive_failures.get()
    }

    /// Returns the endpoint whose share of right answers is furthest below that of the others together, with that share
    /// in per cent, if it is far enough.
    pub(crate) fn worst(&self, all: &[Counts]) -> Option<(usize, u64)> {
        let attempts: u64 = all.iter().map(|one| one.attempts).sum();
        let right: u64 = all.iter().map(Counts::right).sum();
        // Of days without a failure, products are longer than 64 bits.
        let times = |one: u64, other: u64| u128::from(one) * u128::from(other);
        let is_far_below = |one: &Counts| {
            let (attempts, right) = (attempts - one.attempts, right - one.right());
            let enough = one.attempts >= u64::from(self.comparison_attempts)
                && attempts >= u64::from(self.comparison_attempts);
            // Its share is below that percentage of theirs, without dividing.
            let percent = u128::from(self.comparison_percent);
            enough && times(one.right(), attempts) * 100 < times(right, one.attempts) * percent
        };
        let share = |one: &Counts| (times(one.right(), 100) / u128::from(one.attempts.max(1))) as u64;
        let below = all.iter().enumerate().filter(|(_, one)| is_far_below(one));
        below.map(|(index, one)| (index, share(one))).min_by_key(|(_, share)| *share)
    }

    /// Returns whether one more of `members` may be ejected for its answers when `out` are out already.
    pub(crate) fn has_room(&self, members: usize, out: usize) -> bool {
        let most = (members * usize::from(self.ceiling_percent.min(100)) / 100).max(1);
        members > 1 && out < most
    }
}

/// What an endpoint was asked within some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) attempts: u64,
    pub(crate) failures: u64,
}

impl Counts {
    fn right(&self) -> u64 {
        self.attempts.saturating_sub(self.failures)
    }
}

/// When endpoints are compared next.
#[derive(Debug)]
pub(crate) struct Comparison {
    every: Duration,
    epoch: Instant,
    /// Milliseconds since the epoch.
    next: AtomicU64,
}

impl Comparison {
    pub(crate) fn every(interval: Duration) -> Self {
        let next = AtomicU64::new(u64::try_from(interval.as_millis()).unwrap_or(u64::MAX));
        Self { every: interval, epoch: Instant::now(), next }
    }

    /// Returns whether it is time, to one caller only.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let now = now.saturating_duration_since(self.epoch).as_millis() as u64;
        let next = self.next.load(Ordering::Relaxed);
        let then = now.saturating_add(self.every.as_millis() as u64);
        now >= next && self.next.compare_exchange(next, then, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answers_right_far_less_often_than_the_others_stands_out() {
        let outliers = OutlierDetection::default();
        let worst = |all: &[(u64, u64)]| {
            let counts =
                all.iter().map(|(attempts, failures)| Counts { attempts: *attempts, failures: *failures });
            outliers.worst(&counts.collect::<Vec<_>>())
        };
        assert_eq!(worst(&[(100, 30), (100, 0), (100, 0)]), Some((0, 70)));
        assert_eq!(worst(&[(100, 30), (100, 60), (100, 0)]), Some((1, 40)), "the worst of them");
        assert_eq!(worst(&[(100, 10), (100, 0), (100, 0)]), None, "not far enough below");
        assert_eq!(worst(&[(100, 30), (100, 30), (100, 30)]), None, "all alike: it is what they are asked");
        assert_eq!(worst(&[(40, 40), (100, 0), (100, 0)]), None, "too few to tell");
        assert_eq!(worst(&[(100, 30)]), None, "there are no others");
        let days = 1 << 40;
        assert_eq!(worst(&[(days, 1), (days, 0), (days, 0)]), None, "one failure in days");
        assert_eq!(worst(&[(days, days / 2), (days, 0), (days, 0)]), Some((0, 50)));
        assert_eq!(worst(&[]), None);
    }

    #[test]
    fn ejections_double_up_to_the_longest() {
        let outliers = OutlierDetection::default();
        let seconds = [1, 2, 3, 4, 5, 6, 60].map(|nth| outliers.ejection(nth).as_secs());
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn the_ceiling_leaves_half_of_them_in() {
        let outliers = OutlierDetection::default();
        let room = |members| (0..=members).filter(|out| outliers.has_room(members, *out)).count();
        assert_eq!([1, 2, 3, 4, 5, 10].map(room), [0, 1, 1, 2, 2, 5]);
    }

    #[test]
    fn a_connection_refused_counts_for_more_than_a_bad_answer() {
        let outliers = OutlierDetection::default();
        assert!(!outliers.is_too_many(1, FailureKind::Connect));
        assert!(outliers.is_too_many(2, FailureKind::Connect));
        assert!(!outliers.is_too_many(4, FailureKind::Status));
        assert!(outliers.is_too_many(5, FailureKind::Status));
        assert!(!outliers.is_too_many(2, FailureKind::Timeout));
        assert!(outliers.is_too_many(3, FailureKind::Timeout));
        assert!(outliers.is_too_many(1, FailureKind::Leaving));
        assert!(!OutlierDetection::never().is_too_many(1_000_000, FailureKind::Reset));
    }
}
