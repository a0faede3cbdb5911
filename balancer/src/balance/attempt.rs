//! One attempt of one request at one endpoint.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    FailureKind, InFlight, Load, NoEndpoint, Outcome,
    node::{Node, View},
    set::Set,
    verdicts::Evidence,
};
use crate::{
    clock,
    policy::{Candidates, Policy},
    retry::Tried,
};

/// An attempt that may begin, and the service to make it with.
#[derive(Debug)]
pub(crate) struct Picked<E, P: Policy> {
    pub(crate) attempt: Attempt<E, P>,
    pub(crate) service: E,
}

/// An attempt at an endpoint. In flight until it is finished or dropped.
#[derive(Debug)]
pub(crate) struct Attempt<E, P: Policy> {
    in_flight: InFlight,
    started: Instant,
    /// There is none but for the first request to an endpoint that was ejected.
    _trial: Option<Trial<E, P>>,
}

/// Taken back when it is dropped, unless its verdict has come: whoever asked may go away, and nobody will know how it ended.
#[derive(Debug)]
struct Trial<E, P: Policy> {
    set: Arc<Set<E, P>>,
    id: u64,
    /// Tells it from a later trial of the same endpoint, which may run when this one ends.
    since: Instant,
}

impl<E, P: Policy> Drop for Trial<E, P> {
    fn drop(&mut self) {
        self.set.abandon_trial(self.id, self.since);
    }
}

impl<E: Clone, P: Policy> Attempt<E, P> {
    /// Picks the endpoint of a request that was not tried before.
    pub(crate) fn first(set: &Arc<Set<E, P>>) -> Result<Picked<E, P>, NoEndpoint> {
        Self::pick(set, &Tried::none(), u32::MAX)
    }

    /// Picks an endpoint that was not tried, and has failed at most so often since its last success.
    pub(crate) fn pick(
        set: &Arc<Set<E, P>>,
        tried: &Tried,
        most_failures: u32,
    ) -> Result<Picked<E, P>, NoEndpoint> {
        let now = clock::now();
        let view = set.view();
        let candidates = Candidates { ready: &view.loads, tried, most_failures, now };
        if view.next_trial.is_some_and(|at| at <= now)
            && !candidates.is_repeat()
            && let Some(node) = set.claim_trial(now)
        {
            let trial = Trial { set: Arc::clone(set), id: node.id(), since: now };
            let in_flight = InFlight::begin(&node.load);
            return Ok(Self::begin(&node, in_flight, now, Some(trial)));
        }
        let picked = set.policy.pick(&view.round, &candidates);
        let picked = picked.map(|index| set.spare_a_newcomer(&view, &candidates, index));
        let Some(index) = picked.filter(|index| *index < view.ready.len()) else {
            return Err(NoEndpoint { members: view.members.len(), full: false });
        };
        if let Some(in_flight) = InFlight::within(&view.loads[index], set.most_in_flight) {
            return Ok(Self::retry_or_first(&view.ready[index], in_flight, &candidates));
        }
        Self::pick_another(set, &view, &candidates, index)
    }

    /// Picks when the policy's choice is full: the endpoint with the fewest requests, if that has room.
    fn pick_another(
        set: &Set<E, P>,
        view: &View<E, P>,
        candidates: &Candidates<'_>,
        full: usize,
    ) -> Result<Picked<E, P>, NoEndpoint> {
        let index = candidates.fewest_in_flight(full);
        let place =
            index.and_then(|index| Some((index, InFlight::within(&view.loads[index], set.most_in_flight)?)));
        match place {
            Some((index, in_flight)) => Ok(Self::retry_or_first(&view.ready[index], in_flight, candidates)),
            None => Err(NoEndpoint { members: view.members.len(), full: true }),
        }
    }

    fn retry_or_first(node: &Node<E>, in_flight: InFlight, candidates: &Candidates<'_>) -> Picked<E, P> {
        if candidates.is_repeat() {
            node.load.retries.fetch_add(1, Ordering::Relaxed);
        }
        Self::begin(node, in_flight, candidates.now, None)
    }

    fn begin(
        node: &Node<E>,
        in_flight: InFlight,
        started: Instant,
        trial: Option<Trial<E, P>>,
    ) -> Picked<E, P> {
        node.load.requests.fetch_add(1, Ordering::Relaxed);
        Picked { attempt: Self { in_flight, started, _trial: trial }, service: node.service.clone() }
    }
}

impl<E, P: Policy> Attempt<E, P> {
    pub(crate) fn load(&self) -> &Load {
        self.in_flight.load()
    }

    /// Records how the attempt ended, and returns what goes on counting the request as in flight.
    pub(crate) fn finish(self, set: &Set<E, P>, outcome: Outcome) -> InFlight {
        let mut now = clock::now();
        if now == self.started {
            // Begun and ended in one step of its task, as by a service of this process.
            now = Instant::now();
        }
        let took = now.saturating_duration_since(self.started);
        match outcome {
            Outcome::Success => self.succeeded(set, took, now),
            Outcome::Failure(kind) => {
                self.load().failures.fetch_add(1, Ordering::Relaxed);
                set.failed(self.load(), kind, self.started, now);
            }
            Outcome::Neutral => {}
        }
        set.policy.completed(self.load(), took, outcome, now);
        self.in_flight
    }

    fn succeeded(&self, set: &Set<E, P>, took: Duration, now: Instant) {
        let load = self.load();
        load.latency.record(took);
        match load.take_broken() {
            0 => load.forgive(),
            // They are why it is out; a trial is judged by itself.
            _ if load.out.load(Ordering::Relaxed) => load.forgive(),
            // This one, too, has only begun well.
            broken => (0..broken).for_each(|_| set.failed(load, FailureKind::Reset, self.started, now)),
        }
        set.bucket.deposit();
        set.patience.learn(took);
        if load.out.load(Ordering::Relaxed) {
            set.readmit(load.id(), self.started, Evidence::Request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Balance, health::EndpointState, policy::RoundRobin};

    type Services = Arc<Set<&'static str, RoundRobin>>;

    fn state(set: &Services, name: &str) -> EndpointState {
        let view = set.view();
        view.members.iter().find(|member| member.node.name() == name).unwrap().condition.state
    }

    /// Fails at one endpoint, and nowhere else, until it is ejected and its time is up.
    async fn eject(set: &Services, name: &str) {
        while state(set, name) == EndpointState::Ready {
            let attempt = Attempt::first(set).unwrap().attempt;
            let failed = Outcome::Failure(FailureKind::Error);
            let outcome = if attempt.load().name() == name { failed } else { Outcome::Success };
            drop(attempt.finish(set, outcome));
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_ends_late_takes_nobody_elses_trial_back() {
        let balance = Balance::new(RoundRobin, [("a", "a"), ("b", "b")]);
        let set = Arc::clone(balance.set());
        eject(&set, "a").await;
        let first = Attempt::first(&set).unwrap().attempt;
        assert_eq!((first.load().name(), state(&set, "a")), ("a", EndpointState::OnTrial));
        // Others find out what has become of the endpoint before the request on trial does.
        set.mark_unhealthy(first.load().id(), "its probe fails".to_owned());
        set.readmit(first.load().id(), Instant::now(), Evidence::Probe);
        eject(&set, "a").await;
        let second = Attempt::first(&set).unwrap().attempt;
        assert_eq!((second.load().name(), state(&set, "a")), ("a", EndpointState::OnTrial));
        drop(first.finish(&set, Outcome::Success));
        assert_eq!(state(&set, "a"), EndpointState::OnTrial);
        drop(second.finish(&set, Outcome::Success));
        assert_eq!(state(&set, "a"), EndpointState::Ready);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_without_a_verdict_is_for_the_next_request() {
        let balance = Balance::new(RoundRobin, [("a", "a"), ("b", "b")]);
        let set = Arc::clone(balance.set());
        eject(&set, "a").await;
        drop(Attempt::first(&set).unwrap());
        assert_eq!(state(&set, "a"), EndpointState::Ejected);
        drop(Attempt::first(&set).unwrap().attempt.finish(&set, Outcome::Neutral));
        assert_eq!(state(&set, "a"), EndpointState::Ejected);
        drop(Attempt::first(&set).unwrap().attempt.finish(&set, Outcome::Success));
        assert_eq!(state(&set, "a"), EndpointState::Ready);
    }

    #[tokio::test(start_paused = true)]
    async fn what_broke_off_before_a_trial_does_not_count_against_it() {
        let balance = Balance::new(RoundRobin, [("a", "a"), ("b", "b")]);
        let set = balance.set();
        eject(set, "a").await;
        let member = |set: &Services| set.view().members.iter().find(|one| one.node.name() == "a").cloned();
        InFlight::begin(&member(set).unwrap().node.load).broke_off();
        let attempt = Attempt::first(set).unwrap().attempt;
        assert_eq!((attempt.load().name(), state(set, "a")), ("a", EndpointState::OnTrial));
        attempt.finish(set, Outcome::Success);
        assert_eq!(state(set, "a"), EndpointState::Ready);
    }
}
