//! Peak EWMA: Finagle's `com.twitter.finagle.loadbalancer.p2cPeakEwma`, by Marius Eriksen and
//! Steve Gury, as Linkerd uses it, with one change: a failure never looks fast.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{Candidates, Policy, power_of_two_choices::pick_better, random_seed, scatter};
use crate::{Load, Outcome};

/// Draws two endpoints at random and picks the one whose latency times requests in flight is lower.
///
/// The latency is an exponentially weighted moving average that follows a peak at once and forgets it
/// slowly, so that a slow endpoint is left alone within one answer. Where the original takes any
/// answer's latency, here a failed attempt counts as at least [`PeakEwma::FAILURE_PENALTY`]: an
/// endpoint that fails in a millisecond would otherwise draw all the traffic.
#[derive(Debug)]
pub struct PeakEwma {
    decay: Duration,
    draws: AtomicU64,
}

impl PeakEwma {
    /// How fast a peak is forgotten: to 1/e after ten seconds, Finagle's default.
    pub const DEFAULT_DECAY: Duration = Duration::from_secs(10);
    /// The latency of an endpoint that has not answered yet: 30 ms, as in Linkerd. High enough that a
    /// newcomer is not flooded, low enough that it gets a first request.
    pub const UNKNOWN: Duration = Duration::from_millis(30);
    /// The latency that a failure counts as, at least: longer than nearly any true answer.
    pub const FAILURE_PENALTY: Duration = Duration::from_secs(5);

    /// Returns the policy with another decay time.
    pub fn with_decay(decay: Duration) -> Self {
        let decay = decay.max(Duration::from_millis(1));
        Self { decay, draws: AtomicU64::new(random_seed()) }
    }

    /// Returns the policy with its own sequence of draws; the same seed gives the same sequence.
    pub fn seeded(seed: u64) -> Self {
        Self { decay: Self::DEFAULT_DECAY, draws: AtomicU64::new(scatter(seed)) }
    }

    fn cost(&self, load: &Load, now: u32) -> f32 {
        let average = match Average::unpack(load.memory().load(Ordering::Relaxed)) {
            None => Self::UNKNOWN.as_secs_f32(),
            Some(average) => average.at(now, self.decay),
        };
        average * (load.in_flight() as f32 + 1.0) / f32::from(load.weight().get())
    }
}

/// Returns milliseconds since the first call in this process. They wrap after 49 days, when an endpoint
/// idle for all that time is taken for fresher than it is: harmless.
fn millis(now: Instant) -> u32 {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    now.saturating_duration_since(*EPOCH.get_or_init(Instant::now)).as_millis() as u32
}

impl Default for PeakEwma {
    fn default() -> Self {
        Self::with_decay(Self::DEFAULT_DECAY)
    }
}

impl Policy for PeakEwma {
    type Round = ();

    fn begin(&self, _ready: &[Arc<Load>]) {}

    fn name(&self) -> &'static str {
        super::PolicyKind::PeakEwma.name()
    }

    fn pick(&self, (): &(), candidates: &Candidates<'_>) -> Option<usize> {
        let random = scatter(self.draws.fetch_add(1, Ordering::Relaxed));
        let now = millis(candidates.now);
        pick_better(random, candidates, |first, second| self.cost(second, now) < self.cost(first, now))
    }

    fn completed(&self, load: &Load, took: Duration, outcome: Outcome, now: Instant) {
        let seconds = match outcome {
            Outcome::Success => took.as_secs_f32(),
            Outcome::Failure(_) => took.max(Self::FAILURE_PENALTY).as_secs_f32(),
            Outcome::Neutral => return,
        };
        let now = millis(now);
        // The closure never refuses, so neither does the update.
        let _ = load.memory().fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
            let next = match Average::unpack(packed) {
                None => Average { stamp: now, seconds },
                Some(average) => average.observe(seconds, now, self.decay),
            };
            Some(next.pack())
        });
    }
}

/// A moving average and the time of its last observation, small enough for one atomic.
#[derive(Debug, Clone, Copy)]
struct Average {
    stamp: u32,
    seconds: f32,
}

impl Average {
    /// Zero is an endpoint's first memory; an average is stored with a sign bit, so never zero.
    fn pack(self) -> u64 {
        u64::from(self.stamp) << 32 | u64::from((-self.seconds.max(f32::MIN_POSITIVE)).to_bits())
    }

    fn unpack(packed: u64) -> Option<Self> {
        let seconds = -f32::from_bits(packed as u32);
        (packed != 0).then_some(Self { stamp: (packed >> 32) as u32, seconds })
    }

    /// Returns what is left of the last average when weighed against `seconds` seen now.
    fn observe(self, seconds: f32, now: u32, decay: Duration) -> Self {
        if seconds > self.seconds {
            return Self { stamp: now, seconds };
        }
        let kept = self.kept(now, decay);
        Self { stamp: now, seconds: self.seconds * kept + seconds * (1.0 - kept) }
    }

    /// An average fades while nothing is observed, so that an endpoint once slow is tried again.
    fn at(self, now: u32, decay: Duration) -> f32 {
        self.seconds * self.kept(now, decay)
    }

    fn kept(self, now: u32, decay: Duration) -> f32 {
        let elapsed = now.wrapping_sub(self.stamp) as f32 / 1e3;
        (-elapsed / decay.as_secs_f32()).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        FailureKind,
        policy::tests::{loads, pick},
    };

    const MS: Duration = Duration::from_millis(1);

    fn share_of_first(policy: &PeakEwma, ready: &[Arc<Load>]) -> f64 {
        (0..1_000).filter(|_| pick(policy, &(), ready) == 0).count() as f64 / 1_000.0
    }

    #[test]
    fn a_slow_endpoint_is_left_alone_within_one_answer() {
        let (policy, ready) = (PeakEwma::default(), loads(&[1, 1]));
        let now = Instant::now();
        for load in &ready {
            policy.completed(load, 10 * MS, Outcome::Success, now);
        }
        policy.completed(&ready[0], 500 * MS, Outcome::Success, now);
        assert_eq!(share_of_first(&policy, &ready), 0.0);
    }

    #[test]
    fn a_failure_never_looks_fast() {
        let (policy, ready) = (PeakEwma::default(), loads(&[1, 1]));
        let now = Instant::now();
        policy.completed(&ready[1], 80 * MS, Outcome::Success, now);
        policy.completed(&ready[0], MS, Outcome::Failure(FailureKind::Status), now);
        assert_eq!(share_of_first(&policy, &ready), 0.0);
    }

    #[test]
    fn a_penalty_fades_until_the_endpoint_is_tried_again() {
        let decay = Duration::from_secs(10);
        let average = Average { stamp: 1_000, seconds: 5.0 };
        assert!((average.at(1_000, decay) - 5.0).abs() < 1e-6);
        assert!((average.at(11_000, decay) - 5.0 / std::f32::consts::E).abs() < 1e-3);
        assert!(average.at(71_000, decay) < 0.005);
        let observed = average.observe(0.01, 31_000, decay);
        assert!(observed.seconds < 0.3 && observed.seconds > 0.01, "{observed:?}");
    }

    #[test]
    fn an_average_survives_packing() {
        for (stamp, seconds) in [(0, 0.0), (u32::MAX, 1.5), (7, 1e-6)] {
            let packed = Average { stamp, seconds }.pack();
            let back = Average::unpack(packed).unwrap();
            assert_eq!(back.stamp, stamp);
            assert!((back.seconds - seconds).abs() < 1e-12);
        }
        assert!(Average::unpack(0).is_none());
    }
}
