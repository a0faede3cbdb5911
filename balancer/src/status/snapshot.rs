//! Everything there is to see, at one moment.

use std::sync::atomic::Ordering;

use serde::{Serialize, Serializer, ser::SerializeStruct};
use tokio::time::Instant;

use crate::{
    AdmissionCounts, ConnectionCounts,
    balance::{Latencies, Member, Set},
    health::EndpointState,
    policy::Policy,
};

/// A balance, and the server around it if there is one, at one moment.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The policy's name.
    pub policy: &'static str,
    /// The connections of clients; `None` for a balance without a server.
    #[serde(serialize_with = "connections")]
    pub connections: Option<ConnectionCounts>,
    /// The requests of clients; `None` for a balance without a server.
    pub admission: Option<AdmissionCounts>,
    /// Lines that the access log could not take.
    pub log_lines_lost: u64,
    /// Whether no endpoint is healthy, so that all of them are used.
    pub panic: bool,
    /// Requests that found no endpoint at all.
    pub no_endpoint: u64,
    /// Retries that the budget refused.
    pub retries_refused: u64,
    /// Retries that the budget would allow at once.
    pub retries_left: u64,
    /// The endpoints, in the order in which they joined.
    pub endpoints: Vec<EndpointSnapshot>,
}

/// One endpoint at one moment. Counts are since it joined.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct EndpointSnapshot {
    /// Its name; its address, for one on the network.
    pub name: String,
    /// Whether it gets requests.
    pub state: EndpointState,
    /// Why it is in this state.
    pub reason: String,
    /// How long it has been in this state, in seconds.
    pub since_seconds: f64,
    /// Its share of the traffic relative to the others.
    pub weight: u16,
    /// Attempts that were made at it, retries included.
    pub requests: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Attempts that were made because another endpoint failed.
    pub retries: u64,
    /// How often it was ejected.
    pub ejections: u64,
    /// Requests that are at it now.
    pub in_flight: u32,
    /// How long its successful answers took, to the head.
    pub latency: LatencySnapshot,
    #[serde(skip)]
    pub(crate) latencies: Latencies,
}

/// Percentiles of latency in milliseconds, to within 6 %: of the last ten to twenty seconds, or of all since the last
/// snapshot where that is longer ago; `None` where nothing was answered in that time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LatencySnapshot {
    /// Half of the answers took no longer.
    pub p50_ms: Option<f64>,
    /// 95 % of the answers took no longer.
    pub p95_ms: Option<f64>,
    /// 99 % of the answers took no longer.
    pub p99_ms: Option<f64>,
}

impl Snapshot {
    pub(crate) fn of<E, P: Policy>(set: &Set<E, P>) -> Self {
        let (view, now) = (set.view(), Instant::now());
        Self {
            policy: set.policy.name(),
            connections: None,
            admission: None,
            log_lines_lost: 0,
            panic: view.panic,
            no_endpoint: set.no_endpoint.load(Ordering::Relaxed),
            retries_refused: set.budget_refusals.load(Ordering::Relaxed),
            retries_left: set.bucket.left(),
            endpoints: view.members.iter().map(|member| EndpointSnapshot::of(member, now)).collect(),
        }
    }

    /// Returns the endpoint of this name; the one that stays, if another one is leaving.
    pub fn endpoint(&self, name: &str) -> Option<&EndpointSnapshot> {
        self.endpoints.iter().rev().find(|endpoint| endpoint.name == name)
    }
}

impl EndpointSnapshot {
    fn of<E>(member: &Member<E>, now: Instant) -> Self {
        let (load, condition) = (&member.node.load, &member.condition);
        let latencies = load.latency.read();
        let recent = load.recent.of(&latencies);
        Self {
            name: member.node.name().to_owned(),
            state: condition.state,
            reason: condition.reason.to_string(),
            since_seconds: now.saturating_duration_since(condition.since).as_secs_f64(),
            weight: load.weight().get(),
            requests: load.requests.load(Ordering::Relaxed),
            failures: load.failures.load(Ordering::Relaxed),
            retries: load.retries.load(Ordering::Relaxed),
            ejections: load.ejections.load(Ordering::Relaxed),
            in_flight: load.in_flight(),
            latency: LatencySnapshot {
                p50_ms: recent.quantile_ms(0.5),
                p95_ms: recent.quantile_ms(0.95),
                p99_ms: recent.quantile_ms(0.99),
            },
            latencies,
        }
    }
}

fn connections<S: Serializer>(counts: &Option<ConnectionCounts>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(counts) = counts else { return serializer.serialize_none() };
    let mut fields = serializer.serialize_struct("ConnectionCounts", 7)?;
    fields.serialize_field("active", &counts.active)?;
    fields.serialize_field("accepted", &counts.accepted)?;
    fields.serialize_field("handled", &counts.handled)?;
    fields.serialize_field("requests", &counts.requests)?;
    fields.serialize_field("reading", &counts.reading)?;
    fields.serialize_field("writing", &counts.writing)?;
    fields.serialize_field("waiting", &counts.waiting)?;
    fields.end()
}
