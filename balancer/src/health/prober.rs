//! The task that probes endpoints.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};

use super::{EndpointState, Probe, ProbeTarget, Recheck};
use crate::{
    HttpEndpoint,
    balance::{Evidence, Member, Set},
    policy::Policy,
};

/// Probes the endpoints of a set for as long as it runs.
#[derive(Debug)]
pub(crate) struct Prober<P: Policy> {
    set: Arc<Set<HttpEndpoint, P>>,
    probe: Arc<Probe>,
    /// Failed probes in a row, by endpoint.
    failures: HashMap<u64, u32>,
    /// Endpoints with a probe under way: a slow one is waited for, and holds up no other.
    busy: HashSet<u64>,
}

/// How one probe ended.
struct Ended {
    id: u64,
    began: Instant,
    result: Result<(), String>,
}

impl<P: Policy> Prober<P> {
    pub(crate) fn new(set: Arc<Set<HttpEndpoint, P>>, probe: Probe) -> Self {
        Self { set, probe: Arc::new(probe), failures: HashMap::new(), busy: HashSet::new() }
    }

    pub(crate) async fn run(mut self) {
        let mut ticks = tokio::time::interval(self.probe.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut running, joined) = (JoinSet::new(), Arc::clone(&self.set.joined));
        loop {
            tokio::select! {
                _ = ticks.tick() => self.start(&mut running, Self::is_due),
                () = joined.notified() => self.start(&mut running, Self::is_joining),
                Some(ended) = running.join_next() => if let Ok(ended) = ended { self.settle(ended) },
            }
        }
    }

    fn start(
        &mut self,
        running: &mut JoinSet<Ended>,
        wanted: impl Fn(&Self, &Member<HttpEndpoint>, Instant) -> bool,
    ) {
        let (view, began) = (self.set.view(), Instant::now());
        let known: HashSet<u64> = view.members.iter().map(|member| member.node.id()).collect();
        self.failures.retain(|id, _| known.contains(id));
        for member in &view.members {
            let id = member.node.id();
            if wanted(self, member, began) && self.busy.insert(id) {
                let endpoint = member.node.service.clone();
                let probe = Arc::clone(&self.probe);
                running.spawn(async move { Ended { id, began, result: probe.ask(&endpoint).await } });
            }
        }
    }

    /// Newcomers do not wait for the next round.
    fn is_joining(&self, member: &Member<HttpEndpoint>, _now: Instant) -> bool {
        member.condition.state == EndpointState::Joining
    }

    fn is_due(&self, member: &Member<HttpEndpoint>, now: Instant) -> bool {
        match self.probe.target {
            ProbeTarget::Connect => {
                is_unproven(member.condition.state) || member.condition.probe_at.is_some_and(|at| at <= now)
            }
            ProbeTarget::Http { .. } => member.condition.is_last_resort(),
        }
    }

    fn settle(&mut self, Ended { id, began, result }: Ended) {
        self.busy.remove(&id);
        let view = self.set.view();
        let Some(member) = view.members.iter().find(|member| member.node.id() == id) else { return };
        match result {
            Ok(()) => {
                self.failures.remove(&id);
                let served = member.condition.probe_at.is_none_or(|at| at <= began);
                if served && member.condition.state != EndpointState::Ready {
                    self.set.readmit(id, began, Evidence::Probe);
                }
            }
            Err(reason) => {
                let failures = self.failures.entry(id).or_default();
                *failures = failures.saturating_add(1);
                let out = *failures >= self.probe.unhealthy_after.get();
                // That no connection can be made is for requests to find out, once there are any.
                let decides =
                    self.probe.target != ProbeTarget::Connect || is_unproven(member.condition.state);
                if out && decides {
                    self.set.mark_unhealthy(id, reason);
                } else {
                    self.set.not_yet(id, format!("not ready yet: {reason}"));
                }
            }
        }
    }
}

/// Whether an endpoint has not shown yet that it is there.
fn is_unproven(state: EndpointState) -> bool {
    matches!(state, EndpointState::Joining | EndpointState::Unhealthy)
}

impl Probe {
    /// Returns what an ejected endpoint that this probe looks after can be brought back by.
    pub(crate) fn recheck(&self) -> Recheck {
        match self.target {
            ProbeTarget::Connect => Recheck::Connecting,
            ProbeTarget::Http { .. } => Recheck::Asking,
        }
    }
}
