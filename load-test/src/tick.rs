//! One second of a running test.

use std::fmt;
use std::time::Duration;

use crate::figures::{Count, Rate, Time};
use crate::record::Statistics;
use crate::report::Report;

/// What happened in one second of a running test; its `Display` is one live line.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tick {
    /// Time since the test started.
    pub elapsed: Duration,
    /// Time that this tick covers: a second, unless the process was held up or the test ended.
    pub lasted: Duration,
    /// Users at work at its end; in an open-loop test, open connections.
    pub users: usize,
    /// Requests that ended.
    pub requests: u64,
    /// Requests among them that failed.
    pub failures: u64,
    /// Median time from start to end of these requests; zero when there were none.
    pub p50: Duration,
    /// Time that 95 % of them stayed within.
    pub p95: Duration,
    /// Time that 99 % of them stayed within.
    pub p99: Duration,
}

impl Tick {
    /// Returns the requests a second.
    #[must_use]
    pub fn requests_per_second(&self) -> f64 {
        per_second(self.requests, self.lasted)
    }

    /// Returns the failures a second.
    #[must_use]
    pub fn failures_per_second(&self) -> f64 {
        per_second(self.failures, self.lasted)
    }
}

/// A running test, once a second.
#[derive(Clone, Copy)]
pub struct Progress<'a> {
    tick: &'a Tick,
    second: &'a Statistics,
    total: &'a Statistics,
    held_users: Option<usize>,
    report: &'a dyn Fn() -> Report,
}

impl fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").field("tick", self.tick).finish_non_exhaustive()
    }
}

impl<'a> Progress<'a> {
    pub(crate) fn new(
        tick: &'a Tick,
        [second, total]: [&'a Statistics; 2],
        held_users: Option<usize>,
        report: &'a dyn Fn() -> Report,
    ) -> Self {
        Self { tick, second, total, held_users, report }
    }

    /// Returns the second that is just over.
    #[must_use]
    pub fn tick(&self) -> &Tick {
        self.tick
    }

    /// Returns everything counted in the second that is just over.
    #[must_use]
    pub fn second(&self) -> &Statistics {
        self.second
    }

    /// Returns everything counted so far.
    #[must_use]
    pub fn total(&self) -> &Statistics {
        self.total
    }

    /// Returns the users of the step under way if all of them were at work at the end of this second; 0 in an open loop.
    #[must_use]
    pub fn held_users(&self) -> Option<usize> {
        self.held_users
    }

    /// Returns a report on everything so far. It copies the histograms, so ask only if somebody looks.
    #[must_use]
    pub fn report(&self) -> Report {
        (self.report)()
    }
}

/// A count over a time as a rate; 0 over no time at all.
#[expect(clippy::cast_precision_loss, reason = "counts below 2^53 are exact")]
pub(crate) fn per_second(count: u64, lasted: Duration) -> f64 {
    if lasted.is_zero() { 0.0 } else { count as f64 / lasted.as_secs_f64() }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>5.0} s {:>7} users {:>8} req/s {:>7} failed   p50 {:>8}   p95 {:>8}   p99 {:>8}",
            self.elapsed.as_secs_f64(),
            Count(self.users as u64),
            Rate(self.requests_per_second()),
            Count(self.failures),
            Time(self.p50),
            Time(self.p95),
            Time(self.p99),
        )
    }
}
