//! Least requests: nginx's `least_conn`, Envoy's least request over all hosts.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{Candidates, Policy};
use crate::Load;

/// Picks the endpoint with the fewest requests in flight for its weight; equals take turns.
#[derive(Debug, Default)]
pub struct LeastRequests {
    // Where the next search starts, so that idle endpoints take turns.
    turn: AtomicUsize,
}

impl Policy for LeastRequests {
    type Round = ();

    fn begin(&self, _ready: &[Arc<Load>]) {}

    fn name(&self) -> &'static str {
        super::PolicyKind::LeastRequests.name()
    }

    fn pick(&self, (): &(), candidates: &Candidates<'_>) -> Option<usize> {
        candidates.fewest_in_flight(self.turn.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        InFlight,
        policy::tests::{loads, pick},
    };

    #[test]
    fn the_endpoint_with_the_fewest_in_flight_is_picked() {
        let ready = loads(&[1, 1, 1]);
        let _busy = [InFlight::begin(&ready[0]), InFlight::begin(&ready[2])];
        for _ in 0..5 {
            assert_eq!(pick(&LeastRequests::default(), &(), &ready), 1);
        }
    }

    #[test]
    fn idle_endpoints_take_turns() {
        let ready = loads(&[1, 1, 1]);
        let policy = LeastRequests::default();
        let picked: Vec<usize> = (0..6).map(|_| pick(&policy, &(), &ready)).collect();
        assert_eq!(picked, [0, 1, 2, 0, 1, 2]);
    }
}
