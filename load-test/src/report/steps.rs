//! What one step of a test found out while it had all its users.

use std::time::Duration;

use crate::engine::StepRecord;
use crate::plan::{Checked, Load};
use crate::record::Statistics;
use crate::tick::per_second;
use crate::verdict::lateness_doubt;

/// What was measured while a step had all its users.
///
/// An open-loop test is one step with no users.
#[derive(Clone, Debug)]
pub struct StepReport {
    users: usize,
    held: Duration,
    mean_think_time: Duration,
    statistics: Statistics,
    doubt: Option<String>,
}

impl StepReport {
    pub(crate) fn new(plan: &Checked, record: &StepRecord) -> Self {
        let mean_think_time = match &plan.load {
            Load::Closed { think_time, .. } => think_time.mean(),
            Load::Open { .. } => Duration::ZERO,
        };
        let statistics = record.statistics.clone();
        let doubt = lateness_doubt(&plan.limits, &statistics);
        Self { users: record.users, held: record.held, mean_think_time, statistics, doubt }
    }

    /// Returns the number of users.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users
    }

    /// Returns how long all of them were at work.
    #[must_use]
    pub fn held(&self) -> Duration {
        self.held
    }

    /// Returns what was counted meanwhile.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Returns requests a second: the X of N = X·(Z + R).
    #[must_use]
    pub fn requests_per_second(&self) -> f64 {
        per_second(self.statistics.requests(), self.held)
    }

    /// Returns the users that the measured rate and latency account for: X·(Z + R), with the mean
    /// latency R and the mean think time Z, to which the generator's own mean lateness is added.
    ///
    /// Little's law says that this is [`users`](Self::users) in every closed loop that was measured
    /// rightly (Little 1961; Lazowska et al., *Quantitative System Performance*, chapter 3). A much
    /// smaller figure means that users were lost, for example to pauses after refused connections.
    #[must_use]
    pub fn users_by_littles_law(&self) -> f64 {
        let statistics = &self.statistics;
        let cycle = self.mean_think_time + statistics.lateness().mean() + statistics.latency().mean();
        self.requests_per_second() * cycle.as_secs_f64()
    }

    /// Says why this step must not be judged; `None` if the generator kept up.
    #[must_use]
    pub fn doubt(&self) -> Option<&str> {
        self.doubt.as_deref()
    }
}
