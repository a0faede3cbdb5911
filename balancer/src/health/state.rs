//! The states of an endpoint.

use std::{borrow::Cow, fmt};

use serde::Serialize;
use tokio::time::Instant;

/// Whether an endpoint gets requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndpointState {
    /// It has not answered its first health probe yet.
    Joining,
    /// It gets its share.
    Ready,
    /// It failed too often, and gets nothing for a while.
    Ejected,
    /// Its time out is over: one request, whose outcome decides, is on its way.
    OnTrial,
    /// Its health probe fails.
    Unhealthy,
    /// It is leaving: it finishes what it has.
    Draining,
}

impl EndpointState {
    /// Every state, in the order in which to show them.
    pub const ALL: [Self; 6] =
        [Self::Joining, Self::Ready, Self::OnTrial, Self::Ejected, Self::Unhealthy, Self::Draining];

    /// Returns the state's name, as JSON and metrics have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Ready => "ready",
            Self::Ejected => "ejected",
            Self::OnTrial => "on_trial",
            Self::Unhealthy => "unhealthy",
            Self::Draining => "draining",
        }
    }
}

impl fmt::Display for EndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An endpoint's state with its reason.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) state: EndpointState,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) since: Instant,
    /// When an ejected endpoint may have a request on trial; `None` when a probe decides.
    pub(crate) trial_at: Option<Instant>,
    /// When an ejected endpoint may be probed back.
    pub(crate) probe_at: Option<Instant>,
    /// Whether a probe that succeeds is not enough: requests failed where it would not have.
    pub(crate) probe_leads_to_trial: bool,
    /// Whether it was ejected with all others, since none of them worked.
    pub(crate) with_all: bool,
    /// Until when its share of the traffic grows.
    pub(crate) grows_until: Option<Instant>,
}

impl Condition {
    pub(crate) fn new(state: EndpointState, reason: impl Into<Cow<'static, str>>, now: Instant) -> Self {
        Self {
            state,
            reason: reason.into(),
            since: now,
            trial_at: None,
            probe_at: None,
            probe_leads_to_trial: false,
            with_all: false,
            grows_until: None,
        }
    }

    /// Returns whether the endpoint could be used if there were no better one.
    pub(crate) fn is_last_resort(&self) -> bool {
        self.state != EndpointState::Draining
    }

    /// Returns whether the endpoint is known not to work.
    pub(crate) fn is_ill(&self) -> bool {
        self.is_out() && self.state != EndpointState::Joining
    }

    /// Returns whether the endpoint gets nothing while there are others.
    pub(crate) fn is_out(&self) -> bool {
        !matches!(self.state, EndpointState::Ready | EndpointState::Draining)
    }
}
