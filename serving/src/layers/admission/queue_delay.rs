//! How long requests wait, and whether that is a burst or a queue that does not go away.
//!
//! A queue that empties again is good: it holds a burst. One that stands only makes everybody late. CoDel (Nichols and
//! Jacobson, ACM Queue 10(5), 2012; RFC 8289) tells them apart by time: what stays above a target for a whole interval
//! stands. As in "Fail at Scale" (Maurer, ACM Queue 13(8), 2015), a standing queue is cut down to the target and a burst may
//! grow to the interval. It is left again when the mean is below half the target: with as few as four requests in the queue
//! it is empty by chance now and then, so a single look would say that the overload is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How much one request counts for the mean: a thirty-second, some more than what may wait in a queue at its target.
const WEIGHT: u64 = 32;

/// How many half steps the target has at least where a step is known. Three and a half steps are one request at the model and
/// three waiting, whatever the expectations differ by: an M/D/1/4 queue, in which (simulated) a model is idle for 0.2 % of the
/// time at twice its capacity and 1.9 % at one and a half, and the last answer takes four times as long as one alone, which
/// is twice what one in a hundred takes at a tenth of the capacity. A fifth would wait for less than two hundredths of the
/// capacity.
const LEAST_HALF_STEPS: u32 = 7;

/// How many requests are refused in a row for what they have waited, before one is admitted all the same. To refuse costs
/// time, too: where nothing but refusing is done, the queue is never younger than the target and nobody is ever answered. 8: a
/// model that takes as long as eight refusals keeps half of its capacity however much comes, and up to nine times its capacity
/// the target holds.
const MOST_IN_A_ROW: u64 = 8;

/// Decides by waiting times who is admitted. Clones share what they know.
#[derive(Debug, Clone)]
pub(super) struct QueueDelay {
    target: Duration,
    burst: Duration,
    state: Arc<State>,
}

/// Relaxed throughout: a lost update of a mean changes nothing.
#[derive(Debug, Default)]
struct State {
    mean: AtomicU64,
    /// Since when the mean is above the target, in nanoseconds after `origin`; 0 if it is not.
    above_since: AtomicU64,
    overloaded: AtomicBool,
    refused_in_a_row: AtomicU64,
    origin: std::sync::OnceLock<Instant>,
}

impl QueueDelay {
    pub(super) fn new(target: Duration, burst: Duration) -> Self {
        Self { target, burst: burst.max(target), state: Arc::default() }
    }

    /// Returns true for a request that has waited so long and will wait for what is ahead of it; `step` is what one request
    /// more adds to that. Each of the two is bounded, not their sum: where the event loop shares a processor with a
    /// model, it waits for that, and no queue is longer for it.
    pub(super) fn admits(&self, waited: Duration, ahead: Duration, step: Duration) -> bool {
        // The usual request waits for nobody.
        if (waited + ahead).is_zero() && self.state.mean.load(Ordering::Relaxed) == 0 {
            return true;
        }
        self.admits_at(waited, ahead, step, Instant::now)
    }

    fn admits_at(
        &self,
        waited: Duration,
        ahead: Duration,
        step: Duration,
        now: impl FnOnce() -> Instant,
    ) -> bool {
        let wait = waited.max(ahead);
        let bound = self.bound(wait, step, now);
        let refused = self.state.refused_in_a_row.load(Ordering::Relaxed);
        let admitted = wait <= bound || (ahead <= bound && refused >= MOST_IN_A_ROW);
        self.state.refused_in_a_row.store(if admitted { 0 } else { refused + 1 }, Ordering::Relaxed);
        admitted
    }

    /// Learns from a wait, and returns the longest that is allowed.
    fn bound(&self, wait: Duration, step: Duration, now: impl FnOnce() -> Instant) -> Duration {
        let target = self.target(step);
        let mean = self.state.learn(wait);
        let overloaded = self.state.overloaded.load(Ordering::Relaxed);
        let overloaded = match (overloaded, mean > target) {
            (false, false) => {
                self.state.above_since.store(0, Ordering::Relaxed);
                false
            }
            (false, true) => self.stands(now()),
            (true, _) => mean >= target / 2,
        };
        self.state.overloaded.store(overloaded, Ordering::Relaxed);
        if overloaded { target } else { self.burst.max(target) }
    }

    /// Who asks the workers has two queues to wait in, of which each gets half.
    fn target(&self, step: Duration) -> Duration {
        if step.is_zero() { self.target } else { (self.target / 2).max(step * LEAST_HALF_STEPS / 2) }
    }

    /// The mean is above the target: returns true once that has been so for as long as a burst may last.
    fn stands(&self, now: Instant) -> bool {
        let origin = *self.state.origin.get_or_init(|| now);
        let since =
            u64::try_from(now.saturating_duration_since(origin).as_nanos()).unwrap_or(u64::MAX).max(1);
        let begun = self.state.above_since.load(Ordering::Relaxed);
        if begun == 0 {
            self.state.above_since.store(since, Ordering::Relaxed);
        }
        begun != 0 && u128::from(since - begun.min(since)) >= self.burst.as_nanos()
    }
}

impl State {
    /// Adds a wait to the mean, and returns the mean.
    fn learn(&self, wait: Duration) -> Duration {
        let wait = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        let mean = self.mean.load(Ordering::Relaxed);
        // Rounded so that a mean of nothing comes down to zero.
        let mean = mean - mean.div_ceil(WEIGHT) + wait / WEIGHT;
        self.mean.store(mean, Ordering::Relaxed);
        Duration::from_nanos(mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// A clock and a queue to ask.
    struct Queue {
        delay: QueueDelay,
        now: Instant,
    }

    impl Queue {
        fn new() -> Self {
            Self { delay: QueueDelay::new(5 * MILLI, 100 * MILLI), now: Instant::now() }
        }

        /// Lets that many requests come, one a millisecond; returns how many are admitted.
        fn come(&mut self, requests: usize, ahead: Duration, step: Duration) -> usize {
            self.come_late(requests, Duration::ZERO, ahead, step)
        }

        fn come_late(&mut self, requests: usize, waited: Duration, ahead: Duration, step: Duration) -> usize {
            let mut admitted = 0;
            for _ in 0..requests {
                self.now += MILLI;
                admitted += usize::from(self.delay.admits_at(waited, ahead, step, || self.now));
            }
            admitted
        }
    }

    #[test]
    fn a_burst_is_let_through_and_a_standing_queue_is_not() {
        let mut queue = Queue::new();
        assert_eq!(queue.come(80, 20 * MILLI, MILLI), 80);
        assert_eq!(queue.come(100, Duration::ZERO, MILLI), 100);
        assert_eq!(queue.come(80, 20 * MILLI, MILLI), 80, "the first burst is forgotten");
        queue.come(100, 20 * MILLI, MILLI);
        assert_eq!(queue.come(100, 20 * MILLI, MILLI), 0);
        assert_eq!(queue.come(100, 3 * MILLI, MILLI), 100, "cut down to its target");
        assert_eq!(queue.come_late(10, 3 * MILLI, 3 * MILLI, MILLI), 10, "each wait has its own bound");
        assert_eq!(queue.come_late(5, 4 * MILLI, 4 * MILLI, MILLI), 0, "and keeps to it");
    }

    #[test]
    fn nobody_waits_longer_than_the_longest_burst() {
        assert_eq!(Queue::new().come(1, 101 * MILLI, MILLI), 0);
    }

    #[test]
    fn a_queue_that_is_empty_by_chance_is_still_overloaded() {
        let mut queue = Queue::new();
        queue.come(300, 8 * MILLI, MILLI);
        assert_eq!(queue.come(3, Duration::ZERO, MILLI), 3);
        assert_eq!(queue.come(20, 8 * MILLI, MILLI), 0);
        queue.come(200, MILLI, MILLI);
        assert_eq!(queue.come(20, 8 * MILLI, MILLI), 20, "the overload is over");
    }

    #[test]
    fn not_everybody_is_refused_for_being_late() {
        let mut queue = Queue::new();
        queue.come_late(300, 90 * MILLI, Duration::ZERO, MILLI);
        assert_eq!(queue.come_late(90, 90 * MILLI, Duration::ZERO, MILLI), 10);
        assert_eq!(queue.come_late(90, 90 * MILLI, 6 * MILLI, MILLI), 0, "the workers have enough to do");
    }

    #[test]
    fn a_slow_model_may_have_three_questions_waiting() {
        let mut queue = Queue::new();
        queue.come(300, 90 * MILLI, 20 * MILLI);
        assert_eq!(queue.come(10, 69 * MILLI, 20 * MILLI), 10);
        assert_eq!(queue.come(10, 71 * MILLI, 20 * MILLI), 0);
    }
}
