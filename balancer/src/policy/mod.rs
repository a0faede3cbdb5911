//! Which endpoint gets the next request: one file per algorithm, each named by its source.
//!
//! | policy | looks at | good for |
//! |---|---|---|
//! | [`RoundRobin`] | turns taken | equal replicas (the default): the most even spread there is |
//! | [`LeastRequests`] | requests in flight | requests of very different cost |
//! | [`PowerOfTwoChoices`] | two of them | the same, with hundreds of endpoints or many balancers |
//! | [`PeakEwma`] | latency × requests in flight | replicas of different or changing speed |
//!
//! A policy of your own is a type that implements [`Policy`]:
//!
//! ```
//! use std::sync::Arc;
//! use martello_balancer::{Load, policy::{Candidates, Policy}};
//!
//! /// Sends everything to the first endpoint that is ready: the others are spares.
//! #[derive(Debug)]
//! struct First;
//!
//! impl Policy for First {
//!     type Round = ();
//!     fn begin(&self, _ready: &[Arc<Load>]) {}
//!     fn pick(&self, (): &(), candidates: &Candidates<'_>) -> Option<usize> {
//!         candidates.untried().next().map(|(index, _)| index)
//!     }
//! }
//! ```

mod kind;
mod least_requests;
mod peak_ewma;
mod power_of_two_choices;
mod round_robin;

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

pub use self::{
    kind::{KindRound, PolicyKind, UnknownPolicy},
    least_requests::LeastRequests,
    peak_ewma::PeakEwma,
    power_of_two_choices::PowerOfTwoChoices,
    round_robin::{RoundRobin, Turns},
};
use crate::{Load, Outcome, retry::Tried};

/// Chooses the endpoint of the next request.
///
/// `pick` runs once per attempt, from every thread at once, and should neither lock nor allocate: at
/// sixteen endpoints the policies here take some tens of nanoseconds.
pub trait Policy: fmt::Debug + Send + Sync + 'static {
    /// What the policy remembers about one set of ready endpoints. It is made anew whenever that set
    /// changes; what must survive a change belongs in [`Load::memory`].
    type Round: fmt::Debug + Send + Sync + 'static;

    /// Starts on a new set of ready endpoints.
    fn begin(&self, ready: &[Arc<Load>]) -> Self::Round;

    /// Returns the position of the chosen endpoint in [`Candidates::ready`], never one that this
    /// request has tried; `None` if there is none left.
    fn pick(&self, round: &Self::Round, candidates: &Candidates<'_>) -> Option<usize>;

    /// Returns the name that the status shows.
    fn name(&self) -> &'static str {
        "custom"
    }

    /// Learns how an attempt ended and how long its answer's head took.
    fn completed(&self, load: &Load, took: Duration, outcome: Outcome, now: Instant) {
        let _ = (load, took, outcome, now);
    }
}

/// What a [`Policy`] chooses from.
#[derive(Debug, Clone, Copy)]
pub struct Candidates<'a> {
    /// The ready endpoints, in the order in which they joined.
    pub ready: &'a [Arc<Load>],
    /// The endpoints that this request has tried before.
    pub tried: &'a Tried,
    /// Endpoints that have failed more often than this since their last success are passed over by a request
    /// that has been tried before: it is repeated where it is likely to succeed, or not at all.
    pub most_failures: u32,
    /// The time of the pick.
    pub now: Instant,
}

impl<'a> Candidates<'a> {
    /// Returns the endpoints that this request has not tried and that have not failed too often for it, with
    /// their positions.
    pub fn untried(&self) -> impl Iterator<Item = (usize, &'a Load)> + use<'a> {
        self.untried_from(0)
    }

    /// Returns whether the request was tried before.
    pub fn is_repeat(&self) -> bool {
        !self.tried.is_empty() || self.most_failures != u32::MAX
    }

    /// Returns the endpoints not yet tried, starting at a position and going once around.
    pub(crate) fn untried_from(&self, start: usize) -> impl Iterator<Item = (usize, &'a Load)> + use<'a> {
        let (ready, tried, most) = (self.ready, self.tried, self.most_failures);
        let start = if ready.is_empty() { 0 } else { start % ready.len() };
        (start..ready.len())
            .chain(0..start)
            .map(move |index| (index, &*ready[index]))
            .filter(move |(_, load)| most == u32::MAX || load.failures_in_a_row() <= most)
            .filter(move |(_, load)| !tried.contains(load.id()))
    }

    /// Returns the endpoint with the fewest requests in flight for its weight among those not yet
    /// tried; of equals, the first from `start` on.
    pub(crate) fn fewest_in_flight(&self, start: usize) -> Option<usize> {
        let mut best: Option<(usize, &Load, u32)> = None;
        for (index, load) in self.untried_from(start) {
            let in_flight = load.in_flight();
            if best.is_none_or(|(_, other, most)| is_less_loaded(load, in_flight, other, most)) {
                best = Some((index, load, in_flight));
            }
        }
        best.map(|(index, ..)| index)
    }
}

/// Compares requests in flight per weight, counting the one to come, without dividing.
fn is_less_loaded(a: &Load, a_in_flight: u32, b: &Load, b_in_flight: u32) -> bool {
    let of = |in_flight: u32, weight: &Load| (u64::from(in_flight) + 1) * u64::from(weight.weight().get());
    of(a_in_flight, b) < of(b_in_flight, a)
}

/// Spreads a counter over all bits (SplitMix64's finalizer, Steele, Lea and Flood 2014): random enough
/// to choose by, without a generator that threads would share.
pub(crate) fn scatter(counter: u64) -> u64 {
    let mut z = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Returns another number for every policy, so that several balancers do not draw alike.
fn random_seed() -> u64 {
    RandomState::new().hash_one(0_u8)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{num::NonZeroU16, sync::atomic::Ordering};

    use super::*;
    use crate::InFlight;

    /// Returns idle endpoints of these weights.
    pub(crate) fn loads(weights: &[u16]) -> Vec<Arc<Load>> {
        (1..)
            .zip(weights)
            .map(|(id, weight)| Arc::new(Load::new(id, NonZeroU16::new(*weight).unwrap())))
            .collect()
    }

    /// What a request that has tried nothing chooses from.
    pub(crate) fn fresh(ready: &[Arc<Load>]) -> Candidates<'_> {
        static NOTHING: Tried = Tried::none();
        Candidates { ready, tried: &NOTHING, most_failures: u32::MAX, now: Instant::now() }
    }

    /// Picks once, as a request that has tried nothing.
    pub(crate) fn pick<P: Policy>(policy: &P, round: &P::Round, ready: &[Arc<Load>]) -> usize {
        let candidates = fresh(ready);
        policy.pick(round, &candidates).unwrap()
    }

    fn check_tried_is_never_picked<P: Policy>(policy: &P) {
        let ready = loads(&[1, 3, 1]);
        let round = policy.begin(&ready);
        let mut tried = Tried::default();
        for left in (0..3).rev() {
            let now = Instant::now();
            let candidates = |tried| Candidates { ready: &ready, tried, most_failures: u32::MAX, now };
            let before = tried;
            let chosen = policy.pick(&round, &candidates(&before)).unwrap();
            assert!(!tried.contains(ready[chosen].id()), "{policy:?}");
            tried.insert(ready[chosen].id());
            let more = policy.pick(&round, &candidates(&tried));
            assert_eq!(more.is_some(), left > 0, "{policy:?}");
        }
        let nobody = fresh(&[]);
        assert_eq!(policy.pick(&policy.begin(&[]), &nobody), None, "{policy:?}");
    }

    #[test]
    fn no_policy_picks_what_was_tried() {
        check_tried_is_never_picked(&RoundRobin);
        check_tried_is_never_picked(&LeastRequests::default());
        check_tried_is_never_picked(&PowerOfTwoChoices::default());
        check_tried_is_never_picked(&PeakEwma::default());
        check_tried_is_never_picked(&PolicyKind::PeakEwma);
    }

    #[test]
    fn no_policy_repeats_at_an_endpoint_that_fails() {
        let ready = loads(&[1, 1, 1]);
        let mut tried = Tried::default();
        tried.insert(ready[0].id());
        ready[1].run.store(1, Ordering::Relaxed);
        for kind in PolicyKind::ALL {
            let round = kind.begin(&ready);
            let pick = |most_failures| {
                let candidates = Candidates { most_failures, tried: &tried, ..fresh(&ready) };
                kind.pick(&round, &candidates)
            };
            assert_eq!([pick(0), pick(0), pick(0)], [Some(2); 3], "{kind}");
        }
        // The same where it may go to those that it has tried.
        ready[0].run.store(3, Ordering::Relaxed);
        for kind in PolicyKind::ALL {
            let round = kind.begin(&ready);
            let pick = |most_failures| kind.pick(&round, &Candidates { most_failures, ..fresh(&ready) });
            assert_eq!([pick(0), pick(0), pick(0)], [Some(2); 3], "{kind}");
        }
        ready[2].run.store(2, Ordering::Relaxed);
        for kind in PolicyKind::ALL {
            let candidates = Candidates { most_failures: 0, ..fresh(&ready) };
            assert_eq!(kind.pick(&kind.begin(&ready), &candidates), None, "{kind}");
        }
        let candidates = |most_failures| Candidates { most_failures, tried: &tried, ..fresh(&ready) };
        let picked = [0, 1, u32::MAX].map(|most| candidates(most).untried().count());
        assert_eq!(picked, [0, 1, 2]);
    }

    #[test]
    fn the_fewest_in_flight_is_meant_per_weight() {
        let ready = loads(&[1, 4]);
        let candidates = fresh(&ready);
        let _held: Vec<InFlight> = (0..2).map(|_| InFlight::begin(&ready[1])).collect();
        assert_eq!(candidates.fewest_in_flight(0), Some(1));
        let _more: Vec<InFlight> = (0..2).map(|_| InFlight::begin(&ready[1])).collect();
        assert_eq!(candidates.fewest_in_flight(0), Some(0));
    }
}
