//! A policy chosen by name, for command lines and settings.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Candidates, LeastRequests, PeakEwma, Policy, PowerOfTwoChoices, RoundRobin, Turns};
use crate::{Load, Outcome};

/// The policies by name; itself a [`Policy`] that does what the one it names does.
///
/// ```
/// use martello_balancer::policy::PolicyKind;
///
/// let kind: PolicyKind = "least-requests".parse()?;
/// assert_eq!(kind.to_string(), "least-requests");
/// assert_eq!(PolicyKind::default(), PolicyKind::RoundRobin);
/// assert!("fastest".parse::<PolicyKind>().is_err());
/// # Ok::<(), martello_balancer::policy::UnknownPolicy>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PolicyKind {
    /// [`RoundRobin`], `round-robin`.
    #[default]
    RoundRobin,
    /// [`LeastRequests`], `least-requests`.
    LeastRequests,
    /// [`PowerOfTwoChoices`], `power-of-two-choices`.
    PowerOfTwoChoices,
    /// [`PeakEwma`], `peak-ewma`.
    PeakEwma,
}

impl PolicyKind {
    /// Every policy, in the order in which to offer them.
    pub const ALL: [Self; 4] =
        [Self::RoundRobin, Self::LeastRequests, Self::PowerOfTwoChoices, Self::PeakEwma];

    /// Returns the policy's name, as [`FromStr`] reads it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::LeastRequests => "least-requests",
            Self::PowerOfTwoChoices => "power-of-two-choices",
            Self::PeakEwma => "peak-ewma",
        }
    }
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for PolicyKind {
    type Err = UnknownPolicy;

    fn from_str(name: &str) -> Result<Self, UnknownPolicy> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| UnknownPolicy(name.chars().take(64).collect()))
    }
}

/// No policy has this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPolicy(String);

impl fmt::Display for UnknownPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = PolicyKind::ALL.map(PolicyKind::name).join(", ");
        write!(f, "unknown policy {:?}: use one of {names}", self.0)
    }
}

impl std::error::Error for UnknownPolicy {}

/// What the policy that a [`PolicyKind`] names remembers about one set of endpoints.
#[derive(Debug)]
pub struct KindRound(Inner);

#[derive(Debug)]
enum Inner {
    RoundRobin(Turns),
    LeastRequests(LeastRequests),
    PowerOfTwoChoices(PowerOfTwoChoices),
    PeakEwma(PeakEwma),
}

impl Policy for PolicyKind {
    type Round = KindRound;

    fn begin(&self, ready: &[Arc<Load>]) -> KindRound {
        KindRound(match self {
            Self::RoundRobin => Inner::RoundRobin(RoundRobin.begin(ready)),
            Self::LeastRequests => Inner::LeastRequests(LeastRequests::default()),
            Self::PowerOfTwoChoices => Inner::PowerOfTwoChoices(PowerOfTwoChoices::default()),
            Self::PeakEwma => Inner::PeakEwma(PeakEwma::default()),
        })
    }

    fn pick(&self, round: &KindRound, candidates: &Candidates<'_>) -> Option<usize> {
        match &round.0 {
            Inner::RoundRobin(turns) => RoundRobin.pick(turns, candidates),
            Inner::LeastRequests(policy) => policy.pick(&(), candidates),
            Inner::PowerOfTwoChoices(policy) => policy.pick(&(), candidates),
            Inner::PeakEwma(policy) => policy.pick(&(), candidates),
        }
    }

    fn name(&self) -> &'static str {
        Self::name(*self)
    }

    fn completed(&self, load: &Load, took: Duration, outcome: Outcome, now: Instant) {
        if *self == Self::PeakEwma {
            PeakEwma::default().completed(load, took, outcome, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for kind in PolicyKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        let error = "rr".parse::<PolicyKind>().unwrap_err().to_string();
        assert!(error.contains("\"rr\"") && error.contains("round-robin"), "{error}");
    }
}
