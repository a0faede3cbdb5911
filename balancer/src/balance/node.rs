//! One endpoint of a set, and the set as the request path sees it.

use std::{
    num::NonZeroU16,
    sync::{Arc, atomic::Ordering},
};

use tokio::time::Instant;

use super::Load;
use crate::{
    health::{Condition, Counts, EndpointState},
    policy::Policy,
};

/// One endpoint: a service and its load.
#[derive(Debug)]
pub(crate) struct Node<E> {
    pub(crate) service: E,
    pub(crate) load: Arc<Load>,
}

impl<E> Node<E> {
    pub(crate) fn new(id: u64, name: Arc<str>, weight: NonZeroU16, service: E) -> Self {
        Self { service, load: Arc::new(Load::named(id, name, weight)) }
    }

    pub(crate) fn id(&self) -> u64 {
        self.load.id()
    }

    pub(crate) fn name(&self) -> &str {
        self.load.name()
    }
}

/// An endpoint with its condition.
#[derive(Debug)]
pub(crate) struct Member<E> {
    pub(crate) node: Arc<Node<E>>,
    pub(crate) condition: Condition,
    /// Ejections without a healthy time between them.
    pub(crate) ejections_in_a_row: u32,
    /// Whether it was ready once: until then it is a newcomer, however long it takes.
    pub(crate) has_served: bool,
    /// Attempts and failures before the time over which endpoints are compared.
    counted: Counts,
}

impl<E> Member<E> {
    pub(crate) fn new(node: Arc<Node<E>>, condition: Condition) -> Self {
        let has_served = condition.state == EndpointState::Ready;
        Self { node, condition, ejections_in_a_row: 0, has_served, counted: Counts::default() }
    }

    /// Returns the attempts and failures since the last time that this was asked.
    pub(crate) fn take_counts(&mut self) -> Counts {
        let load = &self.node.load;
        let attempts = load.requests.load(Ordering::Relaxed);
        let now = Counts { attempts, failures: load.failures.load(Ordering::Relaxed) };
        let before = std::mem::replace(&mut self.counted, now);
        Counts { attempts: now.attempts - before.attempts, failures: now.failures - before.failures }
    }
}

// Not derived: an endpoint service need not be `Clone` for its member to be.
impl<E> Clone for Member<E> {
    fn clone(&self) -> Self {
        Self {
            node: Arc::clone(&self.node),
            condition: self.condition.clone(),
            ejections_in_a_row: self.ejections_in_a_row,
            has_served: self.has_served,
            counted: self.counted,
        }
    }
}

/// The set of endpoints at one moment. It never changes: a change publishes another one.
#[derive(Debug)]
pub(crate) struct View<E, P: Policy> {
    pub(crate) members: Vec<Member<E>>,
    /// The endpoints that get requests, and beside them their loads for the policy.
    pub(crate) ready: Vec<Arc<Node<E>>>,
    pub(crate) loads: Vec<Arc<Load>>,
    pub(crate) round: P::Round,
    /// Until when the share of each endpoint that gets requests grows, and until when that of any does.
    pub(crate) growing: Vec<Option<Instant>>,
    pub(crate) grows_until: Option<Instant>,
    pub(crate) panic: bool,
    /// When the next ejected endpoint is due for a request on trial.
    pub(crate) next_trial: Option<Instant>,
}

impl<E, P: Policy> View<E, P> {
    pub(crate) fn new(members: Vec<Member<E>>, policy: &P) -> Self {
        let choose = |wanted: &dyn Fn(&Condition) -> bool| -> Vec<&Member<E>> {
            members.iter().filter(|member| wanted(&member.condition)).collect()
        };
        let healthy = choose(&|condition| condition.state == EndpointState::Ready);
        let panic = healthy.is_empty() && members.iter().any(|member| member.condition.is_ill());
        let chosen = if healthy.is_empty() { choose(&Condition::is_last_resort) } else { healthy };
        let growing: Vec<_> = chosen.iter().map(|member| member.condition.grows_until).collect();
        let ready: Vec<_> = chosen.iter().map(|member| Arc::clone(&member.node)).collect();
        let loads: Vec<Arc<Load>> = ready.iter().map(|node| Arc::clone(&node.load)).collect();
        let round = policy.begin(&loads);
        // In panic mode every request is a trial.
        let trials = members.iter().filter_map(|member| member.condition.trial_at);
        let next_trial = if panic { None } else { trials.min() };
        let grows_until = growing.iter().flatten().max().copied();
        Self { members, ready, loads, round, growing, grows_until, panic, next_trial }
    }

    /// Returns how many requests are at endpoints that get no more of them.
    pub(crate) fn in_flight_elsewhere(&self) -> usize {
        let at = |loads: &mut dyn Iterator<Item = &Arc<Load>>| {
            loads.map(|load| load.in_flight() as usize).sum::<usize>()
        };
        let all = at(&mut self.members.iter().map(|member| &member.node.load));
        all.saturating_sub(at(&mut self.loads.iter()))
    }

    /// Returns whether every endpoint is ejected or has failed so often in a row that it would be: one that is alone never is.
    pub(crate) fn is_given_up(&self, failures: u32) -> bool {
        self.panic || self.loads.iter().all(|load| load.failures_in_a_row() >= failures)
    }

    /// Returns whether there is no endpoint that is believed to work.
    pub(crate) fn is_outage(&self) -> bool {
        self.panic || self.loads.iter().all(|load| load.failures_in_a_row() > 0)
    }
}
