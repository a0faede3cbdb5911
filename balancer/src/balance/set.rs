//! The endpoints that are balanced over: read without a lock by requests, changed under one by the
//! rare events around them.

use std::{
    num::NonZeroU16,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{sync::Notify, time::Instant};

use super::{
    node::{Member, Node, View},
    slow_start::SlowStart,
};
use crate::{
    health::{Comparison, Condition, EndpointState, OutlierDetection, Recheck},
    policy::{Candidates, Policy},
    retry::{Bucket, Patience, Tried},
};

#[derive(Debug)]
pub(crate) struct Set<E, P: Policy> {
    pub(crate) policy: P,
    pub(crate) bucket: Bucket,
    pub(crate) patience: Patience,
    pub(crate) max_tries: u32,
    /// Requests that an endpoint may have at once.
    pub(crate) most_in_flight: u32,
    /// Told of every failed connection, for whoever can look up where the endpoints are now.
    pub(crate) lost_connection: Arc<Notify>,
    /// Requests that found the bucket empty.
    pub(crate) budget_refusals: AtomicU64,
    pub(crate) no_endpoint: AtomicU64,
    /// Told of every newcomer that is to be probed.
    pub(crate) joined: Arc<Notify>,
    pub(super) slow_start: SlowStart,
    pub(super) outliers: OutlierDetection,
    pub(super) comparison: Comparison,
    pub(super) recheck: Recheck,
    view: ArcSwap<View<E, P>>,
    members: Mutex<Members<E>>,
}

#[derive(Debug)]
pub(super) struct Members<E> {
    pub(super) list: Vec<Member<E>>,
    next_id: u64,
}

/// What a [`Set`] is made with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SetConfig {
    pub(crate) outliers: OutlierDetection,
    pub(crate) recheck: Recheck,
    pub(crate) budget: crate::RetryBudget,
    pub(crate) max_tries: u32,
    pub(crate) most_in_flight: u32,
    pub(crate) try_timeout: crate::TryTimeout,
    /// For how long a newcomer's share grows.
    pub(crate) slow_start: Duration,
}

impl<E, P: Policy> Set<E, P> {
    pub(crate) fn new(policy: P, config: SetConfig) -> Self {
        let view = View::new(Vec::new(), &policy);
        Self {
            policy,
            bucket: Bucket::new(config.budget),
            patience: Patience::new(config.try_timeout),
            max_tries: config.max_tries,
            most_in_flight: config.most_in_flight,
            lost_connection: Arc::default(),
            budget_refusals: AtomicU64::new(0),
            no_endpoint: AtomicU64::new(0),
            joined: Arc::default(),
            slow_start: SlowStart::new(config.slow_start),
            outliers: config.outliers,
            comparison: Comparison::every(config.outliers.comparison_interval),
            recheck: config.recheck,
            view: ArcSwap::from_pointee(view),
            members: Mutex::new(Members { list: Vec::new(), next_id: 1 }),
        }
    }

    /// Returns whether every endpoint is ejected or would be, were it not alone.
    pub(crate) fn is_given_up(&self) -> bool {
        self.view().is_given_up(self.outliers.consecutive_failures.get())
    }

    /// Returns the endpoints as they are now.
    pub(crate) fn view(&self) -> arc_swap::Guard<Arc<View<E, P>>> {
        self.view.load()
    }

    /// Adds an endpoint unless one of that name is in and not leaving; returns whether it did.
    pub(crate) fn add(&self, name: Arc<str>, weight: NonZeroU16, service: E) -> bool {
        let mut members = self.lock();
        let known = |member: &Member<E>| {
            member.node.name() == &*name && member.condition.state != EndpointState::Draining
        };
        if members.list.iter().any(known) {
            return false;
        }
        tracing::info!(endpoint = %name, "endpoint added");
        let node = Arc::new(Node::new(members.next_id, name, weight, service));
        members.next_id += 1;
        let condition = self.first_condition(&members.list);
        members.list.push(Member::new(node, condition));
        self.publish(&members);
        true
    }

    fn first_condition(&self, others: &[Member<E>]) -> Condition {
        let now = Instant::now();
        if self.recheck.asks_newcomers() {
            self.joined.notify_one();
            return Condition::new(EndpointState::Joining, "added, and not probed yet", now);
        }
        let mut condition = Condition::new(EndpointState::Ready, "added", now);
        condition.grows_until = self.slow_start.until(others, now);
        condition
    }

    /// Returns the endpoint to use in place of the one that was picked: another one, if that is new and should
    /// not have its whole share yet.
    pub(crate) fn spare_a_newcomer(
        &self,
        view: &View<E, P>,
        candidates: &Candidates<'_>,
        picked: usize,
    ) -> usize {
        let is_growing = view.grows_until.is_some_and(|until| until > candidates.now);
        if !is_growing || candidates.is_repeat() {
            return picked;
        }
        let Some(Some(until)) = view.growing.get(picked) else { return picked };
        if self.slow_start.takes(*until, candidates.now) {
            return picked;
        }
        let mut spared = Tried::none();
        spared.insert(view.loads[picked].id());
        let others = Candidates { tried: &spared, most_failures: 0, ..*candidates };
        self.policy.pick(&view.round, &others).unwrap_or(picked)
    }

    /// Stops sending to an endpoint; returns it, if there is one of that name.
    pub(crate) fn drain(&self, name: &str, reason: &'static str) -> Option<Arc<Node<E>>> {
        let mut members = self.lock();
        let member = members
            .list
            .iter_mut()
            .find(|member| member.node.name() == name && member.condition.state != EndpointState::Draining)?;
        let node = Arc::clone(&member.node);
        self.change(member, Condition::new(EndpointState::Draining, reason, Instant::now()));
        self.publish(&members);
        node.load.leave();
        Some(node)
    }

    /// Forgets an endpoint. Requests that are at it finish.
    pub(crate) fn remove(&self, id: u64) {
        let mut members = self.lock();
        members.list.retain(|member| member.node.id() != id);
        self.publish(&members);
    }

    /// Sets an endpoint's share of the traffic; returns false if there is none of that name.
    pub(crate) fn set_weight(&self, name: &str, weight: NonZeroU16) -> bool {
        let members = self.lock();
        let Some(member) = members
            .list
            .iter()
            .find(|member| member.node.name() == name && member.condition.is_last_resort())
        else {
            return false;
        };
        if member.node.load.weight() != weight {
            member.node.load.set_weight(weight);
            // The policy counts turns by weight, so it begins anew.
            self.publish(&members);
        }
        true
    }

    pub(super) fn change(&self, member: &mut Member<E>, condition: Condition) {
        let name = member.node.name();
        if condition.state != member.condition.state {
            tracing::info!(endpoint = %name, state = %condition.state, reason = %condition.reason, "endpoint changed");
        }
        member.condition = condition;
        member.node.load.out.store(member.condition.is_out(), Ordering::Relaxed);
    }

    pub(super) fn publish(&self, members: &Members<E>) {
        let view = View::new(members.list.clone(), &self.policy);
        if view.panic && !self.view.load().panic {
            tracing::warn!(endpoints = view.ready.len(), "no endpoint is healthy: using all of them");
        }
        self.view.store(Arc::new(view));
    }

    /// A panic while the lock was held cannot have left the list half changed in a way that matters:
    /// every change is one assignment.
    pub(super) fn lock(&self) -> MutexGuard<'_, Members<E>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn find<E>(list: &mut [Member<E>], id: u64) -> Option<&mut Member<E>> {
    list.iter_mut().find(|member| member.node.id() == id)
}
