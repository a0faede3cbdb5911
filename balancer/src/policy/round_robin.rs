//! Smooth weighted round robin.
//!
//! Source: nginx's `ngx_http_upstream_round_robin.c` (commit 52327e0627f4, 2012), in a form without a
//! lock. nginx adds each endpoint's weight to its current weight, picks the largest and takes the
//! total from it; after `t` picks, of which the endpoint got `s`, its current weight is therefore
//! `t · weight − s · total`, so a count per endpoint is all the state there is.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{Candidates, Policy};
use crate::Load;

/// Takes turns, in proportion to weight, and spreads the turns of a heavy endpoint out; ties go to the
/// endpoint with the fewest requests in flight.
///
/// With equal weights no two ready endpoints' turns ever differ by more than one, from however many
/// threads it is asked: a turn is taken by compare-and-swap on a count that was seen to be the lowest,
/// and counts only grow. A retry goes to the endpoint with the fewest requests in flight and takes no
/// turn, so that a failing endpoint does not bend the spread over the others.
///
/// ```
/// use martello_balancer::{Balance, policy::RoundRobin};
/// use tower::{ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let replica = |name: &'static str| service_fn(move |_: ()| async move { Ok::<_, std::io::Error>(name) });
/// let balance = Balance::new(RoundRobin, [("a", replica("a")), ("b", replica("b"))]);
/// assert_eq!(balance.clone().oneshot(()).await?, "a");
/// assert_eq!(balance.clone().oneshot(()).await?, "b");
/// assert_eq!(balance.clone().oneshot(()).await?, "a");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct RoundRobin;

/// The turns that [`RoundRobin`] has given to each of one set of endpoints.
#[derive(Debug)]
pub struct Turns {
    taken: Box<[AtomicU64]>,
    retries: AtomicU64,
    total_weight: u64,
    equal_weights: bool,
}

impl Policy for RoundRobin {
    type Round = Turns;

    fn begin(&self, ready: &[Arc<Load>]) -> Turns {
        let weights = || ready.iter().map(|load| load.weight().get());
        Turns {
            taken: ready.iter().map(|_| AtomicU64::new(0)).collect(),
            retries: AtomicU64::new(0),
            total_weight: weights().map(u64::from).sum(),
            equal_weights: weights().min() == weights().max(),
        }
    }

    fn name(&self) -> &'static str {
        super::PolicyKind::RoundRobin.name()
    }

    fn pick(&self, turns: &Turns, candidates: &Candidates<'_>) -> Option<usize> {
        if candidates.is_repeat() {
            let start = turns.retries.fetch_add(1, Ordering::Relaxed);
            return candidates.fewest_in_flight(start as usize);
        }
        loop {
            let (index, seen) = if turns.equal_weights {
                turns.lowest(candidates)
            } else {
                turns.furthest_behind(candidates)
            }?;
            let claimed =
                turns.taken[index].compare_exchange(seen, seen + 1, Ordering::Relaxed, Ordering::Relaxed);
            // A failure means that another thread took this turn: somebody always gets on.
            if claimed.is_ok() {
                return Some(index);
            }
        }
    }
}

impl Turns {
    /// Returns the endpoint with the fewest turns, and that count.
    fn lowest(&self, candidates: &Candidates<'_>) -> Option<(usize, u64)> {
        let mut best: Option<(usize, u64, u32)> = None;
        for (index, (taken, load)) in self.taken.iter().zip(candidates.ready).enumerate() {
            let taken = taken.load(Ordering::Relaxed);
            if best.is_some_and(|(_, fewest, _)| taken > fewest) {
                continue;
            }
            let in_flight = load.in_flight();
            if best.is_none_or(|(_, fewest, least)| (taken, in_flight) < (fewest, least)) {
                best = Some((index, taken, in_flight));
            }
        }
        best.map(|(index, taken, _)| (index, taken))
    }

    /// Returns the endpoint with nginx's largest current weight, and its count.
    fn furthest_behind(&self, candidates: &Candidates<'_>) -> Option<(usize, u64)> {
        let picks: u64 = self.taken.iter().map(|taken| taken.load(Ordering::Relaxed)).sum();
        let mut best: Option<(usize, u64, i128, u32)> = None;
        for (index, (taken, load)) in self.taken.iter().zip(candidates.ready).enumerate() {
            let taken = taken.load(Ordering::Relaxed);
            let due = i128::from(picks + 1) * i128::from(load.weight().get());
            let current = due - i128::from(taken) * i128::from(self.total_weight);
            let in_flight = load.in_flight();
            let wins = best
                .is_none_or(|(_, _, most, least)| current > most || (current == most && in_flight < least));
            if wins {
                best = Some((index, taken, current, in_flight));
            }
        }
        best.map(|(index, taken, ..)| (index, taken))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        InFlight,
        policy::tests::{loads, pick},
    };

    /// nginx's algorithm as its source has it.
    fn nginx(weights: &[u16], picks: usize) -> Vec<usize> {
        let mut current = vec![0_i64; weights.len()];
        let total: i64 = weights.iter().map(|weight| i64::from(*weight)).sum();
        let mut picked = Vec::new();
        for _ in 0..picks {
            let mut best = 0;
            for (index, weight) in weights.iter().enumerate() {
                current[index] += i64::from(*weight);
                if current[index] > current[best] {
                    best = index;
                }
            }
            current[best] -= total;
            picked.push(best);
        }
        picked
    }

    #[test]
    fn a_heavy_endpoint_gets_its_turns_spread_out() {
        let ready = loads(&[5, 1, 1]);
        let turns = RoundRobin.begin(&ready);
        let picked: Vec<usize> = (0..7).map(|_| pick(&RoundRobin, &turns, &ready)).collect();
        assert_eq!(picked, [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn a_tie_goes_to_the_fewest_in_flight() {
        let ready = loads(&[1, 1, 1]);
        let turns = RoundRobin.begin(&ready);
        let _busy = [InFlight::begin(&ready[0]), InFlight::begin(&ready[0]), InFlight::begin(&ready[1])];
        let picked: Vec<usize> = (0..6).map(|_| pick(&RoundRobin, &turns, &ready)).collect();
        assert_eq!(picked, [2, 1, 0, 2, 1, 0]);
    }

    proptest! {
        #[test]
        fn weighted_turns_are_those_of_nginx(weights in prop::collection::vec(1_u16..50, 1..8)) {
            let ready = loads(&weights);
            let turns = RoundRobin.begin(&ready);
            let picked: Vec<usize> = (0..200).map(|_| pick(&RoundRobin, &turns, &ready)).collect();
            prop_assert_eq!(picked, nginx(&weights, 200));
        }

        #[test]
        fn turns_never_differ_by_more_than_one(
            endpoints in 1_usize..12, picks in 0_usize..300, busy in prop::collection::vec(0_usize..12, 0..40),
        ) {
            let ready = loads(&vec![1; endpoints]);
            let turns = RoundRobin.begin(&ready);
            let _held: Vec<InFlight> =
                busy.iter().map(|index| InFlight::begin(&ready[index % endpoints])).collect();
            let mut counts = vec![0_u32; endpoints];
            for _ in 0..picks {
                counts[pick(&RoundRobin, &turns, &ready)] += 1;
                prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
            }
        }

        #[test]
        fn turns_never_differ_by_more_than_one_however_many_threads_pick(
            endpoints in 1_usize..9, threads in 2_usize..6, picks in 1_usize..400,
        ) {
            let ready = loads(&vec![7; endpoints]);
            let turns = RoundRobin.begin(&ready);
            let counts: Vec<AtomicU64> = (0..endpoints).map(|_| AtomicU64::new(0)).collect();
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| for _ in 0..picks {
                        counts[pick(&RoundRobin, &turns, &ready)].fetch_add(1, Ordering::Relaxed);
                    });
                }
            });
            let counts: Vec<u64> = counts.into_iter().map(AtomicU64::into_inner).collect();
            prop_assert_eq!(counts.iter().sum::<u64>(), (threads * picks) as u64);
            prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{:?}", counts);
        }
    }
}
