//! The growing share of a newcomer.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::node::Member;
use crate::{health::EndpointState, policy::scatter};

/// The least part of its share that a newcomer gets, so that it has something to warm up with.
const LEAST: f64 = 0.1;

/// Gives a newcomer a part of its share that grows in a straight line, as Envoy's slow start does by default.
#[derive(Debug)]
pub(super) struct SlowStart {
    lasts: Duration,
    draws: AtomicU64,
}

impl SlowStart {
    pub(super) fn new(lasts: Duration) -> Self {
        Self { lasts, draws: AtomicU64::new(0) }
    }

    /// Returns until when the share of one that joins these now should grow. Where nobody has been in for as long
    /// as that takes, all are new, and none can be spared.
    pub(super) fn until<E>(&self, others: &[Member<E>], now: Instant) -> Option<Instant> {
        let is_settled = |member: &Member<E>| {
            let (state, since) = (member.condition.state, member.condition.since);
            state == EndpointState::Ready && now.saturating_duration_since(since) >= self.lasts
        };
        (!self.lasts.is_zero() && others.iter().any(is_settled)).then_some(now + self.lasts)
    }

    /// Returns whether a newcomer should take the request that it was picked for.
    pub(super) fn takes(&self, until: Instant, now: Instant) -> bool {
        let left = until.saturating_duration_since(now).as_secs_f64() / self.lasts.as_secs_f64();
        // 53 bits are all that a float's fraction holds.
        let draw = (scatter(self.draws.fetch_add(1, Ordering::Relaxed)) >> 11) as f64 / (1_u64 << 53) as f64;
        draw < (1.0 - left).max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Balance, balance::Evidence, health::Recheck, policy::RoundRobin};

    #[tokio::test(start_paused = true)]
    async fn the_share_grows_from_a_tenth_to_the_whole() {
        let slow = SlowStart::new(Duration::from_secs(10));
        let start = Instant::now();
        let until = start + Duration::from_secs(10);
        for (after, expected) in [(0, 0.1), (5, 0.5), (8, 0.8), (10, 1.0), (20, 1.0)] {
            let now = start + Duration::from_secs(after);
            let taken = (0..10_000).filter(|_| slow.takes(until, now)).count() as f64 / 10_000.0;
            assert!((taken - expected).abs() < 0.02, "after {after} s: {taken} is not {expected}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn however_long_a_newcomer_takes_it_is_new_when_it_is_ready_and_only_then() {
        let builder = Balance::builder().slow_start(Duration::from_secs(4)).recheck(Recheck::Asking);
        let balance = builder.build(RoundRobin, [("old", ())]);
        let set = balance.set();
        let member = |name: &str| {
            set.view().members.iter().find(|member| member.node.name() == name).cloned().expect("it is in")
        };
        let ready = |name| set.readmit(member(name).node.id(), Instant::now(), Evidence::Probe);
        let is_growing = |name| member(name).condition.grows_until.is_some();
        ready("old");
        tokio::time::advance(Duration::from_secs(10)).await;
        balance.endpoints().add("new", ());
        // It is still loading.
        set.mark_unhealthy(member("new").node.id(), "its probe fails".to_owned());
        ready("new");
        assert_eq!(["old", "new"].map(is_growing), [false, true]);
        set.mark_unhealthy(member("new").node.id(), "its probe fails".to_owned());
        ready("new");
        assert!(!is_growing("new"), "it has served before");
    }
}
