//! Power of two choices: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing",
//! IEEE Transactions on Parallel and Distributed Systems 12(10), 2001.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{Candidates, Policy, is_less_loaded, random_seed, scatter};
use crate::Load;

/// Draws two endpoints at random and picks the one with fewer requests in flight for its weight.
///
/// Two draws already end the herd that runs to whoever looks least loaded, and a pick costs the same
/// at three endpoints as at a thousand.
#[derive(Debug)]
pub struct PowerOfTwoChoices {
    draws: AtomicU64,
}

impl PowerOfTwoChoices {
    /// Returns the policy with its own sequence of draws; the same seed gives the same sequence.
    pub fn seeded(seed: u64) -> Self {
        Self { draws: AtomicU64::new(scatter(seed)) }
    }
}

impl Default for PowerOfTwoChoices {
    fn default() -> Self {
        Self { draws: AtomicU64::new(random_seed()) }
    }
}

impl Policy for PowerOfTwoChoices {
    type Round = ();

    fn begin(&self, _ready: &[Arc<Load>]) {}

    fn name(&self) -> &'static str {
        super::PolicyKind::PowerOfTwoChoices.name()
    }

    fn pick(&self, (): &(), candidates: &Candidates<'_>) -> Option<usize> {
        let random = scatter(self.draws.fetch_add(1, Ordering::Relaxed));
        pick_better(random, candidates, |a, b| is_less_loaded(b, b.in_flight(), a, a.in_flight()))
    }
}

/// Draws two different endpoints from `random`, and returns the second where `second_wins`.
pub(super) fn pick_better(
    random: u64,
    candidates: &Candidates<'_>,
    second_wins: impl Fn(&Load, &Load) -> bool,
) -> Option<usize> {
    let ready = candidates.ready;
    if candidates.is_repeat() {
        return candidates.fewest_in_flight(random as usize);
    }
    if ready.len() < 2 {
        return (!ready.is_empty()).then_some(0);
    }
    let (first, second) = draw_two(random, ready.len() as u32);
    Some(if second_wins(&ready[first], &ready[second]) { second } else { first })
}

/// Returns two different numbers below `n`, each pair as likely as any other.
fn draw_two(random: u64, n: u32) -> (usize, usize) {
    // Multiply and shift (Lemire 2019): no division, and a bias below n / 2^32.
    let below = |bits: u64, limit: u32| (((bits & 0xffff_ffff) * u64::from(limit)) >> 32) as usize;
    let first = below(random, n);
    let second = below(random >> 32, n - 1);
    (first, if second >= first { second + 1 } else { second })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        InFlight,
        policy::tests::{loads, pick},
    };

    #[test]
    fn the_two_are_different_and_every_pair_comes_up() {
        let mut seen = [[0_u32; 4]; 4];
        for counter in 0..12_000 {
            let (a, b) = draw_two(scatter(counter), 4);
            seen[a][b] += 1;
        }
        for (a, row) in seen.iter().enumerate() {
            for (b, count) in row.iter().enumerate() {
                assert_eq!(a == b, *count == 0, "{a} {b}: {count}");
                assert!(a == b || (800..1_200).contains(count), "{a} {b}: {count} of about 1000");
            }
        }
    }

    #[test]
    fn the_busiest_endpoint_is_never_picked() {
        let ready = loads(&[1, 1, 1, 1]);
        let _busy = [InFlight::begin(&ready[2]), InFlight::begin(&ready[2])];
        let policy = PowerOfTwoChoices::seeded(42);
        assert!((0..1_000).all(|_| pick(&policy, &(), &ready) != 2));
    }
}
