//! What is concluded from how attempts and probes end: who is ejected, and who comes back.

use std::sync::{Arc, atomic::Ordering};

use tokio::time::Instant;

use super::{
    Load,
    node::{Member, Node},
    set::{Set, find},
};
use crate::{
    FailureKind,
    health::{Condition, Counts, EndpointState},
    policy::Policy,
    retry::Tried,
};

/// A healthy time this many times as long as the ejection before it lets the next one start from the
/// base again.
const PAROLE: u32 = 10;

/// What shows that an endpoint works again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evidence {
    Request,
    Probe,
}

impl<E, P: Policy> Set<E, P> {
    /// Takes an endpoint out for its failures, unless the ceiling forbids it.
    fn eject(&self, id: u64, kind: FailureKind, in_a_row: u32, now: Instant) {
        let room = |list: &[Member<E>]| kind.is_certain() || self.has_room(list);
        self.eject_because(id, now, kind, room, || match in_a_row {
            0 | 1 => kind.to_string(),
            in_a_row => format!("{in_a_row} failures in a row, the last a {kind}"),
        });
    }

    fn eject_because(
        &self,
        id: u64,
        now: Instant,
        kind: FailureKind,
        has_room: impl Fn(&[Member<E>]) -> bool,
        reason: impl FnOnce() -> String,
    ) {
        let may = |list: &[Member<E>]| match list.iter().find(|member| member.node.id() == id) {
            Some(member) if member.condition.state == EndpointState::OnTrial => true,
            Some(member) => member.condition.state == EndpointState::Ready && has_room(list),
            None => false,
        };
        // In an outage every answer ends here, nearly always to change nothing: that takes no lock.
        if !may(&self.view().members) {
            return;
        }
        let mut members = self.lock();
        if !may(&members.list) {
            return;
        }
        let Some(member) = find(&mut members.list, id) else { return };
        let on_trial = member.condition.state == EndpointState::OnTrial;
        let healthy = now.saturating_duration_since(member.condition.since);
        let before = self.outliers.ejection(member.ejections_in_a_row.max(1));
        if !on_trial && healthy >= before.saturating_mul(PAROLE) {
            member.ejections_in_a_row = 0;
        }
        member.ejections_in_a_row = member.ejections_in_a_row.saturating_add(1);
        member.node.load.ejections.fetch_add(1, Ordering::Relaxed);
        let back_at = now + self.outliers.ejection(member.ejections_in_a_row);
        let reason = if on_trial { format!("failed its trial: {kind}") } else { reason() };
        let mut condition = Condition::new(EndpointState::Ejected, reason, now);
        if self.recheck.covers(kind) {
            condition.probe_at = Some(back_at);
            condition.probe_leads_to_trial = !kind.is_certain();
        } else {
            condition.trial_at = Some(back_at);
        }
        self.change(member, condition);
        self.publish(&members);
    }

    /// Lets an endpoint back in: a request or a probe that began at `from` went well.
    pub(crate) fn readmit(&self, id: u64, from: Instant, evidence: Evidence) {
        // While no endpoint is healthy every answer ends here: only one of them needs the lock.
        if why_readmit(&self.view().members, id, from, evidence).is_none() {
            return;
        }
        let mut members = self.lock();
        let Some(reason) = why_readmit(&members.list, id, from, evidence) else { return };
        let now = Instant::now();
        let grows_until = self.slow_start.until(&members.list, now);
        let Some(member) = find(&mut members.list, id) else { return };
        if evidence == Evidence::Probe && member.condition.probe_leads_to_trial {
            let reason = format!("its probe succeeds, a request decides; {}", member.condition.reason);
            let mut condition = Condition::new(EndpointState::Ejected, reason, member.condition.since);
            condition.trial_at = Some(now);
            self.change(member, condition);
            self.publish(&members);
            return;
        }
        member.node.load.forgive();
        let mut condition = Condition::new(EndpointState::Ready, reason, now);
        if !std::mem::replace(&mut member.has_served, true) {
            condition.grows_until = grows_until;
        }
        self.change(member, condition);
        // What all of them failed at may have been what they were asked: each is tried again at once.
        for other in &mut members.list {
            if std::mem::take(&mut other.condition.with_all) {
                other.condition.trial_at = Some(now);
            }
        }
        self.publish(&members);
    }

    /// Takes an endpoint out because its probe fails, whatever the ceiling: the endpoint says so itself.
    pub(crate) fn mark_unhealthy(&self, id: u64, reason: String) {
        let mut members = self.lock();
        let Some(member) = find(&mut members.list, id) else { return };
        let condition = match member.condition.state {
            EndpointState::Draining => return,
            // The state stands since it began; only the reason may be another one now.
            EndpointState::Unhealthy => Condition { reason: reason.into(), ..member.condition.clone() },
            _ => Condition::new(EndpointState::Unhealthy, reason, Instant::now()),
        };
        self.change(member, condition);
        self.publish(&members);
    }

    /// Returns an ejected endpoint whose time is up, now on trial with the caller's request.
    pub(crate) fn claim_trial(&self, now: Instant) -> Option<Arc<Node<E>>> {
        let mut members = self.lock();
        let due = |member: &&mut Member<E>| member.condition.trial_at.is_some_and(|at| at <= now);
        let member = members.list.iter_mut().find(due)?;
        let node = Arc::clone(&member.node);
        let reason = format!("one request on trial after: {}", member.condition.reason);
        self.change(member, Condition::new(EndpointState::OnTrial, reason, now));
        self.publish(&members);
        Some(node)
    }

    /// Takes back the trial that began then, if it ended without a verdict; the next request may have it.
    pub(crate) fn abandon_trial(&self, id: u64, since: Instant) {
        let mut members = self.lock();
        let Some(member) = find(&mut members.list, id) else { return };
        if member.condition.state != EndpointState::OnTrial || member.condition.since != since {
            return;
        }
        let now = Instant::now();
        let mut condition = Condition::new(EndpointState::Ejected, "its trial ended without a verdict", now);
        condition.trial_at = Some(now);
        self.change(member, condition);
        self.publish(&members);
    }

    /// Counts the failure of an attempt that began at `began`, and ejects the endpoint if it was one too many.
    pub(crate) fn failed(&self, load: &Load, kind: FailureKind, began: Instant, now: Instant) {
        if kind == FailureKind::Connect {
            self.lost_connection.notify_waiters();
        }
        if is_old_news(&self.view().members, load.id(), began) {
            return;
        }
        let in_a_row = load.failed(kind);
        if self.outliers.is_too_many(in_a_row, kind) || load.out.load(Ordering::Relaxed) {
            self.eject(load.id(), kind, in_a_row, now);
            self.give_up_on_all(now);
        }
        if self.comparison.is_due(now) {
            self.compare(now);
        }
    }

    /// Ejects all that are left, whatever the ceiling, when each of them has failed so often: the ceiling keeps endpoints
    /// in because some of them must do the work, and none does. Now all are tried alike, those that were ejected
    /// before included, and the first that works again is found at once.
    fn give_up_on_all(&self, now: Instant) {
        let is_lost = |member: &Member<E>| {
            member.node.load.failures_in_a_row() >= self.outliers.consecutive_failures.get()
        };
        let is_ready = |member: &&Member<E>| member.condition.state == EndpointState::Ready;
        let none_works = |list: &[Member<E>]| {
            count(list).0 > 1
                && list.iter().any(|member| is_ready(&member))
                && list.iter().filter(is_ready).all(is_lost)
        };
        if !none_works(&self.view().members) {
            return;
        }
        let mut members = self.lock();
        if !none_works(&members.list) {
            return;
        }
        for member in &mut members.list {
            let before = &mut member.condition;
            before.with_all = before.trial_at.is_some() || before.probe_leads_to_trial;
            if before.state != EndpointState::Ready {
                continue;
            }
            member.node.load.ejections.fetch_add(1, Ordering::Relaxed);
            let in_a_row = member.node.load.failures_in_a_row();
            let reason = format!("{in_a_row} failures in a row, and so have all others");
            let mut condition = Condition::new(EndpointState::Ejected, reason, now);
            condition.trial_at = Some(now + self.outliers.base_ejection);
            condition.with_all = true;
            self.change(member, condition);
        }
        self.publish(&members);
    }

    /// Notes that another endpoint has answered what these had failed to: whatever is asked, it is they who are at
    /// fault, so no ceiling keeps them in.
    pub(crate) fn refute(&self, tried: &Tried, answered: u64) {
        let view = self.view();
        let wrong = |member: &&Member<E>| {
            member.node.id() != answered
                && tried.contains(member.node.id())
                && member.condition.state == EndpointState::Ready
        };
        for member in view.members.iter().filter(wrong) {
            let load = &member.node.load;
            if load.failures_in_a_row() == 0 {
                continue;
            }
            let refuted = load.refuted.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            if self.outliers.is_refuted(refuted) {
                self.eject_because(
                    load.id(),
                    Instant::now(),
                    FailureKind::Error,
                    |_| true,
                    || format!("{refuted} failures in a row, each of which another endpoint then answered"),
                );
            }
        }
    }

    /// Ejects the endpoint whose share of right answers is far below that of the others, if there is one.
    fn compare(&self, now: Instant) {
        let worst = {
            let mut members = self.lock();
            let counts: Vec<Counts> = members.list.iter_mut().map(Member::take_counts).collect();
            let of_ready = |(member, counts): (&Member<E>, &Counts)| match member.condition.state {
                EndpointState::Ready => *counts,
                _ => Counts::default(),
            };
            let counts: Vec<Counts> = members.list.iter().zip(&counts).map(of_ready).collect();
            let worst = self.outliers.worst(&counts);
            worst.and_then(|(index, percent)| Some((members.list.get(index)?.node.id(), percent)))
        };
        let Some((id, percent)) = worst else { return };
        let room = |list: &[Member<E>]| self.has_room(list);
        self.eject_because(id, now, FailureKind::Error, room, || {
            format!("only {percent} % of its answers were right, far less than of the others'")
        });
    }

    fn has_room(&self, list: &[Member<E>]) -> bool {
        let (all, out) = count(list);
        self.outliers.has_room(all, out)
    }

    /// Notes that an endpoint that gets no requests yet is not ready for them.
    pub(crate) fn not_yet(&self, id: u64, reason: String) {
        let mut members = self.lock();
        let Some(member) = find(&mut members.list, id) else { return };
        if member.condition.state == EndpointState::Joining {
            let condition = Condition { reason: reason.into(), ..member.condition.clone() };
            self.change(member, condition);
            self.publish(&members);
        }
    }
}

/// Returns how many endpoints are not leaving, and how many of these are out.
fn count<E>(list: &[Member<E>]) -> (usize, usize) {
    let all = list.iter().filter(|member| member.condition.is_last_resort()).count();
    (all, list.iter().filter(|member| member.condition.is_out()).count())
}

/// Returns whether an attempt that began then says nothing of an endpoint's present state: it was made before the
/// endpoint was let back in, or taken out.
fn is_old_news<E>(list: &[Member<E>], id: u64, began: Instant) -> bool {
    list.iter().any(|member| member.node.id() == id && began < member.condition.since)
}

/// Returns the reason to let an endpoint back in, if there is one.
fn why_readmit<E>(list: &[Member<E>], id: u64, from: Instant, evidence: Evidence) -> Option<&'static str> {
    let member = list.iter().find(|member| member.node.id() == id)?;
    if from < member.condition.since {
        return None;
    }
    match (evidence, member.condition.state) {
        (_, EndpointState::Ready | EndpointState::Draining) => None,
        // Its probe sees what a request may not, and would take it out again at once.
        (Evidence::Request, EndpointState::Unhealthy) => None,
        (Evidence::Request, _) => Some("answered a request"),
        // A request decides, and a healthy probe is what it may be given for.
        (Evidence::Probe, EndpointState::OnTrial) => None,
        (Evidence::Probe, EndpointState::Ejected) if member.condition.trial_at.is_some() => None,
        (Evidence::Probe, _) => Some("its probe succeeds"),
    }
}
