//! What a test found out.

pub(crate) mod file;
pub(crate) mod html;
mod json;
mod locust;
mod spread;
mod steps;
mod table;

pub(crate) use locust::LOCUST_PERCENTILES;
pub use spread::{EVEN_WITHIN, EndpointShare, Spread};
pub use steps::StepReport;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::engine::{FailureSpans, HistoryRow, StepRecord};
use crate::plan::{Checked, Load};
use crate::record::{Latencies, Statistics};
use crate::tick::{Tick, per_second};
use crate::usage::ProcessUsage;
use crate::verdict::{Verdict, doubts, judge};

/// The raw outcome of a run.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) wall_clock: SystemTime,
    pub(crate) lasted: Duration,
    pub(crate) stopped_early: bool,
    pub(crate) total: Statistics,
    pub(crate) steps: Vec<StepRecord>,
    pub(crate) history: Vec<HistoryRow>,
    pub(crate) failure_spans: FailureSpans,
    /// The generator first.
    pub(crate) processes: Vec<ProcessUsage>,
}

/// What a test found out; its `Display` is the table that ends a run, its serde form is for machines.
#[derive(Clone, Debug)]
pub struct Report {
    plan: Arc<Checked>,
    measured: Measured,
    steps: Vec<StepReport>,
    warnings: Vec<String>,
    verdict: Verdict,
    reasons: Vec<String>,
}

impl Report {
    pub(crate) fn new(plan: &Arc<Checked>, measured: Measured, warnings: Vec<String>) -> Self {
        let (verdict, reasons) = judge(plan, &measured);
        let steps = measured.steps.iter().map(|record| StepReport::new(plan, record)).collect();
        Self { plan: Arc::clone(plan), measured, steps, warnings, verdict, reasons }
    }

    /// As [`new`](Self::new), of a run by several generators, any of which may have doubts of its own.
    #[cfg(feature = "histogram-log")]
    pub(crate) fn merged(
        plan: &Arc<Checked>,
        measured: Measured,
        warnings: Vec<String>,
        doubts: Vec<String>,
    ) -> Self {
        let mut report = Self::new(plan, measured, warnings);
        if !doubts.is_empty() {
            (report.verdict, report.reasons) = (Verdict::Invalid, doubts);
        }
        report
    }

    /// Returns how many requests ended, well or not.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.measured.total.requests()
    }

    /// Returns how many requests failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.measured.total.failures()
    }

    /// Returns requests a second over the whole test, the starting of users included.
    #[must_use]
    pub fn requests_per_second(&self) -> f64 {
        per_second(self.requests(), self.lasted())
    }

    /// Returns how long the test lasted, its graceful end included.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        self.measured.lasted
    }

    /// Returns whether somebody stopped the test before its plan was over.
    #[must_use]
    pub fn stopped_early(&self) -> bool {
        self.measured.stopped_early
    }

    /// Returns the latencies of all requests, failed ones included.
    #[must_use]
    pub fn latency(&self) -> Latencies {
        self.measured.total.latency()
    }

    /// Returns everything counted over the whole test.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.measured.total
    }

    /// Returns what was measured in each step while it had all its users; steps that never had are missing.
    #[must_use]
    pub fn steps(&self) -> &[StepReport] {
        &self.steps
    }

    /// Returns the test second by second.
    pub fn history(&self) -> impl ExactSizeIterator<Item = &Tick> {
        self.measured.history.iter().map(|row| &row.tick)
    }

    /// Returns how the answers spread over replicas; `None` when they name none.
    #[must_use]
    pub fn spread(&self) -> Option<Spread> {
        Spread::of(&self.measured.total)
    }

    /// Returns what the process that generated the load used; if it also served, that is in it.
    #[must_use]
    pub fn generator(&self) -> &ProcessUsage {
        &self.measured.processes[0]
    }

    /// Returns what the watched processes used, in the order of the plan.
    #[must_use]
    pub fn watched_processes(&self) -> &[ProcessUsage] {
        &self.measured.processes[1..]
    }

    /// Returns what may have disturbed the measurement, as sentences.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns whether the server passed.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Returns why it is not a pass: broken thresholds with what was measured, or what makes it invalid.
    #[must_use]
    pub fn reasons(&self) -> &[String] {
        &self.reasons
    }

    /// Why a step says nothing about the server; empty if it does.
    pub(crate) fn doubts_while_held(&self, step: &StepReport) -> Vec<String> {
        doubts(&self.plan.limits, step.statistics())
    }

    /// The thresholds that a step broke, with what was measured.
    pub(crate) fn broken_while_held(&self, step: &StepReport) -> Vec<String> {
        let thresholds = self.plan.thresholds.iter();
        thresholds.filter_map(|one| one.broken_by(step.statistics(), step.held())).collect()
    }

    /// Returns when the test started, by the clock of this machine.
    #[must_use]
    pub fn started(&self) -> SystemTime {
        self.measured.wall_clock
    }

    pub(crate) fn is_open_loop(&self) -> bool {
        matches!(self.plan.load, Load::Open { .. })
    }
}
