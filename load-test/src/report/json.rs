//! The report as a machine reads it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Serialize, Serializer};

use crate::error::Result;
use crate::failure::FailureKind;
use crate::record::{Latencies, Statistics};
use crate::report::file::write_json;
use crate::report::{EndpointShare, Report, StepReport};
use crate::tick::Tick;
use crate::usage::ProcessUsage;
use crate::verdict::Verdict;

/// Name and version of the form below; the number rises when a field changes its meaning or goes away.
const SCHEMA: &str = "martello-load-test/report/1";

#[derive(Serialize)]
struct ReportForm<'a> {
    schema: &'static str,
    host: String,
    started_unix_seconds: f64,
    lasted_seconds: f64,
    stopped_early: bool,
    verdict: Verdict,
    reasons: &'a [String],
    thresholds: Vec<String>,
    warnings: &'a [String],
    total: StatisticsForm,
    by_request: Vec<RequestForm<'a>>,
    endpoints: Vec<EndpointShare>,
    generator: &'a ProcessUsage,
    watched: &'a [ProcessUsage],
    steps: Vec<StepForm<'a>>,
    history: Vec<TickForm>,
}

#[derive(Serialize)]
struct StatisticsForm {
    requests: u64,
    failures: u64,
    failures_by_kind: BTreeMap<FailureKind, u64>,
    body_bytes: u64,
    connections: u64,
    reconnects: u64,
    latency: LatencyForm,
    latency_of_successes: LatencyForm,
    lateness: LatencyForm,
}

#[derive(Serialize)]
struct RequestForm<'a> {
    method: &'a str,
    name: &'a str,
    requests: u64,
    failures: u64,
    failures_by_kind: &'a BTreeMap<FailureKind, u64>,
    body_bytes: u64,
    latency: LatencyForm,
}

#[derive(Serialize)]
struct StepForm<'a> {
    users: usize,
    held_seconds: f64,
    requests_per_second: f64,
    users_by_littles_law: f64,
    doubt: Option<&'a str>,
    #[serde(flatten)]
    statistics: StatisticsForm,
}

/// Milliseconds, so that a person can read them too.
#[derive(Serialize)]
struct LatencyForm {
    min_ms: f64,
    mean_ms: f64,
    p50_ms: f64,
    p75_ms: f64,
    p90_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    max_ms: f64,
}

#[derive(Serialize)]
struct TickForm {
    elapsed_seconds: f64,
    lasted_seconds: f64,
    users: usize,
    requests: u64,
    failures: u64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let since_epoch = self.measured.wall_clock.duration_since(UNIX_EPOCH).unwrap_or_default();
        let requests = self.plan.requests().iter().zip(self.statistics().by_request());
        ReportForm {
            schema: SCHEMA,
            host: self.plan.url(),
            started_unix_seconds: since_epoch.as_secs_f64(),
            lasted_seconds: self.lasted().as_secs_f64(),
            stopped_early: self.stopped_early(),
            verdict: self.verdict,
            reasons: &self.reasons,
            thresholds: self.plan.thresholds.iter().map(ToString::to_string).collect(),
            warnings: &self.warnings,
            total: self.statistics().into(),
            by_request: requests
                .map(|(prepared, counts)| RequestForm {
                    method: prepared.method().as_str(),
                    name: &prepared.name,
                    requests: counts.requests(),
                    failures: counts.failures(),
                    failures_by_kind: counts.failures_by_kind(),
                    body_bytes: counts.body_bytes(),
                    latency: (&counts.latency()).into(),
                })
                .collect(),
            endpoints: self.spread().map(|spread| spread.endpoints().to_vec()).unwrap_or_default(),
            generator: self.generator(),
            watched: self.watched_processes(),
            steps: self.steps.iter().map(StepForm::from).collect(),
            history: self.history().map(TickForm::from).collect(),
        }
        .serialize(serializer)
    }
}

impl Report {
    /// Writes the report as JSON, which `schema/report-1.json` of this crate describes.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) with the path if the file cannot be written.
    pub fn write_json(&self, path: impl AsRef<Path>) -> Result<()> {
        write_json(path.as_ref(), self)
    }
}

impl From<&Statistics> for StatisticsForm {
    fn from(statistics: &Statistics) -> Self {
        Self {
            requests: statistics.requests(),
            failures: statistics.failures(),
            failures_by_kind: statistics.failures_by_kind(),
            body_bytes: statistics.body_bytes(),
            connections: statistics.connections(),
            reconnects: statistics.reconnects(),
            latency: (&statistics.latency()).into(),
            latency_of_successes: (&statistics.latency_of_successes()).into(),
            lateness: statistics.lateness().into(),
        }
    }
}

impl<'a> From<&'a StepReport> for StepForm<'a> {
    fn from(step: &'a StepReport) -> Self {
        Self {
            users: step.users(),
            held_seconds: step.held().as_secs_f64(),
            requests_per_second: step.requests_per_second(),
            users_by_littles_law: step.users_by_littles_law(),
            doubt: step.doubt(),
            statistics: step.statistics().into(),
        }
    }
}

fn milliseconds(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl From<&Latencies> for LatencyForm {
    fn from(latencies: &Latencies) -> Self {
        let at = |percent| milliseconds(latencies.percentile(percent));
        Self {
            min_ms: milliseconds(latencies.min()),
            mean_ms: milliseconds(latencies.mean()),
            p50_ms: at(50.0),
            p75_ms: at(75.0),
            p90_ms: at(90.0),
            p95_ms: at(95.0),
            p99_ms: at(99.0),
            p999_ms: at(99.9),
            max_ms: milliseconds(latencies.max()),
        }
    }
}

impl From<&Tick> for TickForm {
    fn from(tick: &Tick) -> Self {
        Self {
            elapsed_seconds: tick.elapsed.as_secs_f64(),
            lasted_seconds: tick.lasted.as_secs_f64(),
            users: tick.users,
            requests: tick.requests,
            failures: tick.failures,
            p50_ms: milliseconds(tick.p50),
            p95_ms: milliseconds(tick.p95),
            p99_ms: milliseconds(tick.p99),
        }
    }
}
