//! One number of users, measured while all of them were at work.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::capacity::Outcome;
use crate::figures::{Count, Megabytes, Rate, Time};
use crate::report::Report;

/// What one probe of a survey measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Level {
    /// Users at work.
    pub users: usize,
    /// Requests a second that started by the clock, if it was an open loop, which has no users.
    pub arrivals_per_second: Option<f64>,
    /// Replicas that served, in a sweep over them.
    pub replicas: Option<u32>,
    /// The processor limit that was set for this probe (in a sweep: for each replica), in cores.
    pub limit_cores: Option<f64>,
    /// The memory limit that was set for this probe, in bytes.
    pub limit_memory_bytes: Option<u64>,
    /// Requests a second while all users were at work.
    pub requests_per_second: f64,
    /// Requests that failed meanwhile.
    pub failures: u64,
    /// Mean latency, in seconds.
    pub mean_seconds: f64,
    /// Median latency, in seconds.
    pub p50_seconds: f64,
    /// The time that 95 % stayed within, in seconds.
    pub p95_seconds: f64,
    /// The time that 99 % stayed within, in seconds.
    pub p99_seconds: f64,
    /// Processor seconds of the watched processes for each request; `None` if none is watched.
    pub cpu_seconds_per_request: Option<f64>,
    /// The most memory that the watched processes held since they started, in bytes.
    pub memory_bytes: Option<u64>,
    /// Periods in which the control group wanted more than its limit.
    pub throttled_periods: Option<u64>,
    /// The share of periods in which it did, 0 to 1.
    pub throttled_share: Option<f64>,
    /// Whether it held.
    pub outcome: Outcome,
    /// Why it did not hold, or why nobody can tell; empty if it held.
    pub reasons: Vec<String>,
}

impl Level {
    pub(super) fn of(users: usize, report: &Report) -> Self {
        let watched = report.watched_processes();
        let cpu: Duration = watched.iter().map(|usage| usage.cpu).sum();
        #[expect(clippy::cast_precision_loss, reason = "counts below 2^53 are exact")]
        let each = cpu.as_secs_f64() / report.requests().max(1) as f64;
        let step = report.counted_step();
        let (outcome, reasons) = report.judge_while_held(step);
        let latency = step.map(|step| step.statistics().latency()).unwrap_or_default();
        Self {
            users,
            arrivals_per_second: None,
            replicas: None,
            limit_cores: None,
            limit_memory_bytes: None,
            requests_per_second: step.map_or(0.0, |step| step.requests_per_second()),
            failures: step.map_or(0, |step| step.statistics().failures()),
            mean_seconds: latency.mean().as_secs_f64(),
            p50_seconds: latency.percentile(50.0).as_secs_f64(),
            p95_seconds: latency.percentile(95.0).as_secs_f64(),
            p99_seconds: latency.percentile(99.0).as_secs_f64(),
            cpu_seconds_per_request: (!watched.is_empty()).then_some(each),
            memory_bytes: (!watched.is_empty()).then(|| watched.iter().map(|usage| usage.peak_memory).sum()),
            throttled_periods: None,
            throttled_share: None,
            outcome,
            reasons,
        }
    }

    /// A probe that could not take place, because the server did not live.
    pub(super) fn broken(users: usize, why: String) -> Self {
        Self {
            users,
            arrivals_per_second: None,
            replicas: None,
            limit_cores: None,
            limit_memory_bytes: None,
            requests_per_second: 0.0,
            failures: 0,
            mean_seconds: 0.0,
            p50_seconds: 0.0,
            p95_seconds: 0.0,
            p99_seconds: 0.0,
            cpu_seconds_per_request: None,
            memory_bytes: None,
            throttled_periods: None,
            throttled_share: None,
            outcome: Outcome::Breaks,
            reasons: vec![why],
        }
    }

    /// Returns the processors that the watched processes kept busy.
    #[must_use]
    pub fn cores(&self) -> Option<f64> {
        self.cpu_seconds_per_request.map(|each| each * self.requests_per_second)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |seconds| Time(Duration::try_from_secs_f64(seconds).unwrap_or_default());
        match (self.replicas, self.arrivals_per_second) {
            (Some(1), _) => f.write_str("   1 replica ")?,
            (Some(replicas), _) => write!(f, "{replicas:>4} replicas")?,
            (None, Some(rate)) => write!(f, "{:>7} a s  ", Rate(rate))?,
            (None, None) => write!(f, "{:>7} users", Count(self.users as u64))?,
        }
        write!(
            f,
            " {:>8} req/s   p50 {:>8}   p99 {:>8}",
            Rate(self.requests_per_second),
            time(self.p50_seconds),
            time(self.p99_seconds),
        )?;
        if let Some(cores) = self.cores() {
            write!(f, "   {cores:.2} cores")?;
        }
        if let Some(limit) = self.limit_cores {
            write!(f, " of {limit:.2}")?;
        }
        if let Some(limit) = self.limit_memory_bytes {
            write!(f, "   under {}", Megabytes(limit))?;
        }
        if let Some(share) = self.throttled_share {
            write!(f, "   {:.0} % of periods throttled", share * 100.0)?;
        }
        if self.replicas.is_some() && self.outcome != Outcome::Unknown {
            return Ok(());
        }
        match self.outcome {
            Outcome::Holds => f.write_str("   holds"),
            Outcome::Breaks => write!(f, "   breaks: {}", self.reasons.join("; ")),
            Outcome::Unknown => write!(f, "   unknown: {}", self.reasons.join("; ")),
        }
    }
}
