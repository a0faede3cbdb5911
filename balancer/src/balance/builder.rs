//! How a [`Balance`] is set up.

use std::{sync::Arc, time::Duration};

use super::{
    Balance, Plain,
    set::{Set, SetConfig},
};
use crate::{
    health::{OutlierDetection, Recheck},
    policy::Policy,
    retry::{RetryBudget, Tried, TryTimeout},
};

/// Attempts that one request may make: four by default, so that a request still gets through when two
/// or three replicas die at the same moment.
pub const DEFAULT_MAX_TRIES: u32 = 4;

/// Sets up a [`Balance`].
#[derive(Debug, Clone)]
pub struct BalanceBuilder<C = Plain> {
    protocol: C,
    config: SetConfig,
}

impl Default for BalanceBuilder {
    fn default() -> Self {
        let config = SetConfig {
            outliers: OutlierDetection::default(),
            recheck: Recheck::Trial,
            budget: RetryBudget::default(),
            max_tries: DEFAULT_MAX_TRIES,
            most_in_flight: u32::MAX,
            try_timeout: TryTimeout::NEVER,
            slow_start: Duration::ZERO,
        };
        Self { protocol: Plain, config }
    }
}

impl<C> BalanceBuilder<C> {
    /// Sets how requests and answers are read. [`Plain`] by default: errors count as failures, and
    /// nothing is repeated.
    pub fn protocol<D>(self, protocol: D) -> BalanceBuilder<D> {
        BalanceBuilder { protocol, config: self.config }
    }

    /// Sets when an endpoint is ejected for its failures.
    #[must_use]
    pub fn outlier_detection(mut self, outliers: OutlierDetection) -> Self {
        self.config.outliers = outliers;
        self
    }

    /// Sets how many retries there may be.
    #[must_use]
    pub fn retry_budget(mut self, budget: RetryBudget) -> Self {
        self.config.budget = budget;
        self
    }

    /// Sets how many attempts one request may make, the first included: from 1 to
    /// [`Tried::CAPACITY`], values outside are moved to the nearest.
    #[must_use]
    pub fn max_tries(mut self, tries: u32) -> Self {
        self.config.max_tries = tries.clamp(1, Tried::CAPACITY as u32);
        self
    }

    /// Sets how many requests an endpoint may have at once, at least 1; as many as come by default. One that has them is
    /// passed over, and a request for which none is left fails.
    #[must_use]
    pub fn most_in_flight(mut self, requests: u32) -> Self {
        self.config.most_in_flight = requests.max(1);
        self
    }

    /// Sets how long an attempt may take before a request that may be repeated is tried elsewhere.
    /// [`TryTimeout::NEVER`] by default: only who runs on tokio, with its timer, can be told the time.
    #[must_use]
    pub fn try_timeout(mut self, limit: TryTimeout) -> Self {
        self.config.try_timeout = limit;
        self
    }

    /// Sets for how long the share of an endpoint that joins others grows, from a tenth to the whole. Zero, not
    /// at all, by default.
    #[must_use]
    pub fn slow_start(mut self, lasts: Duration) -> Self {
        self.config.slow_start = lasts;
        self
    }

    /// Leaves the return of ejected endpoints to whoever probes them.
    pub(crate) fn recheck(mut self, recheck: Recheck) -> Self {
        self.config.recheck = recheck;
        self
    }

    /// Returns a balance over these endpoints; there may be none yet.
    pub fn build<E, P, N>(self, policy: P, endpoints: impl IntoIterator<Item = (N, E)>) -> Balance<E, P, C>
    where
        P: Policy,
        N: Into<Arc<str>>,
    {
        let balance = Balance::over(Set::new(policy, self.config), self.protocol);
        for (name, service) in endpoints {
            balance.endpoints().add(name, service);
        }
        balance
    }
}
