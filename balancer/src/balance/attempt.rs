//! One attempt of one request at one endpoint.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    InFlight, Load, NoEndpoint, Outcome,
    node::{Node, View},
    set::Set,
    verdicts::Evidence,
};
use crate::{
    clock,
    policy::{Candidates, Policy},
    retry::Tried,
};

/// An endpoint that was picked. In flight until it is finished or dropped.
#[derive(Debug)]
pub(crate) struct Attempt<E, P: Policy> {
    set: Arc<Set<E, P>>,
    node: Arc<Node<E>>,
    /// Gone once the attempt is finished.
    in_flight: Option<InFlight>,
    started: Instant,
    on_trial: bool,
}

impl<E, P: Policy> Attempt<E, P> {
    /// Picks the endpoint of a request that was not tried before.
    pub(crate) fn first(set: &Arc<Set<E, P>>) -> Result<Self, NoEndpoint> {
        Self::pick(set, &Tried::none(), u32::MAX)
    }

    /// Picks an endpoint that was not tried, and has failed at most so often since its last success.
    pub(crate) fn pick(set: &Arc<Set<E, P>>, tried: &Tried, most_failures: u32) -> Result<Self, NoEndpoint> {
        let started = clock::now();
        let view = set.view();
        if view.next_trial.is_some_and(|at| at <= started)
            && tried.is_empty()
            && let Some(node) = set.claim_trial(started)
        {
            return Ok(Self::begin(set, node, tried, started, true));
        }
        let candidates = Candidates { ready: &view.loads, tried, most_failures, now: started };
        let picked = set.policy.pick(&view.round, &candidates);
        let picked = picked.map(|index| set.spare_a_newcomer(&view, &candidates, index));
        let Some(index) = picked.filter(|index| *index < view.ready.len()) else {
            return Err(NoEndpoint { members: view.members.len(), full: false });
        };
        if let Some(in_flight) = InFlight::within(&view.loads[index], set.most_in_flight) {
            return Ok(Self::take(set, Arc::clone(&view.ready[index]), in_flight, tried, started, false));
        }
        Self::pick_another(set, &view, &candidates, index)
    }

    /// Picks when the policy's choice is full: the endpoint with the fewest requests, if that has room.
    fn pick_another(
        set: &Arc<Set<E, P>>,
        view: &View<E, P>,
        candidates: &Candidates<'_>,
        full: usize,
    ) -> Result<Self, NoEndpoint> {
        let index = candidates.fewest_in_flight(full);
        let place =
            index.and_then(|index| Some((index, InFlight::within(&view.loads[index], set.most_in_flight)?)));
        match place {
            Some((index, in_flight)) => {
                let node = Arc::clone(&view.ready[index]);
                Ok(Self::take(set, node, in_flight, candidates.tried, candidates.now, false))
            }
            None => Err(NoEndpoint { members: view.members.len(), full: true }),
        }
    }

    fn begin(
        set: &Arc<Set<E, P>>,
        node: Arc<Node<E>>,
        tried: &Tried,
        started: Instant,
        on_trial: bool,
    ) -> Self {
        let in_flight = InFlight::begin(&node.load);
        Self::take(set, node, in_flight, tried, started, on_trial)
    }

    fn take(
        set: &Arc<Set<E, P>>,
        node: Arc<Node<E>>,
        in_flight: InFlight,
        tried: &Tried,
        started: Instant,
        on_trial: bool,
    ) -> Self {
        node.load.requests.fetch_add(1, Ordering::Relaxed);
        if !tried.is_empty() {
            node.load.retries.fetch_add(1, Ordering::Relaxed);
        }
        Self { set: Arc::clone(set), node, in_flight: Some(in_flight), started, on_trial }
    }

    pub(crate) fn service(&self) -> &E {
        &self.node.service
    }

    pub(crate) fn load(&self) -> &Load {
        &self.node.load
    }

    /// Records how the attempt ended. Returns the endpoint's name, and what goes on counting the request as in
    /// flight there.
    pub(crate) fn finish(mut self, outcome: Outcome) -> (Arc<str>, InFlight) {
        let now = clock::now();
        let took = now.saturating_duration_since(self.started);
        match outcome {
            Outcome::Success => self.succeeded(took),
            Outcome::Failure(kind) => {
                self.node.load.failures.fetch_add(1, Ordering::Relaxed);
                self.set.failed(&self.node, kind, self.started, now);
            }
            Outcome::Neutral if self.on_trial => self.set.abandon_trial(self.node.id()),
            Outcome::Neutral => {}
        }
        self.set.policy.completed(&self.node.load, took, outcome, now);
        let in_flight = self.in_flight.take().expect("an attempt is in flight until it is finished");
        (Arc::clone(&self.node.name), in_flight)
    }

    fn succeeded(&self, took: Duration) {
        self.node.load.latency.record(took);
        self.node.forgive();
        self.set.bucket.deposit();
        self.set.patience.learn(took);
        if self.node.out.load(Ordering::Relaxed) {
            self.set.readmit(self.node.id(), self.started, Evidence::Request);
        }
    }
}

impl<E, P: Policy> Drop for Attempt<E, P> {
    fn drop(&mut self) {
        // Still in flight: whoever asked has gone away, and nobody will know how it ended.
        if self.in_flight.is_some() && self.on_trial {
            self.set.abandon_trial(self.node.id());
        }
    }
}
