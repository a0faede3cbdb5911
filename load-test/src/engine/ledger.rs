//! What a run has measured so far: in total, by step, and second by second.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::failure::FailureKind;
use crate::record::{Bins, Latencies, Recorder, Statistics};
use crate::report::LOCUST_PERCENTILES;
use crate::tick::Tick;

/// The step that has all its users, by its place in the course of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    pub(crate) place: usize,
    pub(crate) users: usize,
}

/// One step's measurements while it had all its users.
#[derive(Clone, Debug)]
pub(crate) struct StepRecord {
    pub(crate) place: usize,
    pub(crate) users: usize,
    pub(crate) held: Duration,
    pub(crate) statistics: Statistics,
}

/// One second, and the totals up to its end.
#[derive(Clone, Debug)]
pub(crate) struct HistoryRow {
    pub(crate) tick: Tick,
    /// The latencies of this second.
    pub(crate) bins: Bins,
    /// Of everything so far, as are the following.
    pub(crate) percentiles: [Duration; LOCUST_PERCENTILES.len()],
    pub(crate) total_requests: u64,
    pub(crate) total_failures: u64,
    pub(crate) total_bytes: u64,
    /// Median, mean, shortest and longest.
    pub(crate) total_latency: [Duration; 4],
}

/// When one kind of failure of one request template was seen, to the second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FailureSpan {
    pub(crate) count: u64,
    pub(crate) first: Duration,
    pub(crate) last: Duration,
}

/// By the template's place in the plan and the kind of failure.
pub(crate) type FailureSpans = BTreeMap<(usize, FailureKind), FailureSpan>;

/// Totals, steps, seconds and failures.
pub(crate) type Booked = (Statistics, Vec<StepRecord>, Vec<HistoryRow>, FailureSpans);

#[derive(Debug)]
pub(crate) struct Ledger {
    /// Reused for every drain.
    drained: Statistics,
    second: Statistics,
    total: Statistics,
    steps: Vec<StepRecord>,
    history: Vec<HistoryRow>,
    failure_spans: FailureSpans,
}

impl Ledger {
    pub(crate) fn new(templates: usize) -> Self {
        let empty = Statistics::new(templates);
        let (drained, second, total) = (empty.clone(), empty.clone(), empty);
        let (steps, history, failure_spans) = (Vec::new(), Vec::new(), FailureSpans::new());
        Self { drained, second, total, steps, history, failure_spans }
    }

    /// Takes over what was recorded in the time `lasted` before `elapsed`, for the step at `holding` if one
    /// had all its users.
    pub(super) fn absorb(
        &mut self,
        recorder: &Recorder,
        holding: Option<Holding>,
        elapsed: Duration,
        lasted: Duration,
    ) {
        self.drained.clear();
        recorder.drain(&mut self.drained);
        self.book(holding, elapsed, lasted);
    }

    /// As [`absorb`](Self::absorb), for what was recorded elsewhere.
    #[cfg(feature = "histogram-log")]
    pub(crate) fn take_over(
        &mut self,
        recorded: &Statistics,
        holding: Option<Holding>,
        elapsed: Duration,
        lasted: Duration,
    ) {
        self.drained.clear();
        self.drained.merge(recorded);
        self.book(holding, elapsed, lasted);
    }

    fn book(&mut self, holding: Option<Holding>, elapsed: Duration, lasted: Duration) {
        self.second.merge(&self.drained);
        self.total.merge(&self.drained);
        self.note_failures(elapsed);
        let Some(Holding { place, users }) = holding else { return };
        if self.steps.last().is_none_or(|step| step.place != place) {
            let statistics = Statistics::new(self.total.by_request().len());
            self.steps.push(StepRecord { place, users, held: Duration::ZERO, statistics });
        }
        if let Some(step) = self.steps.last_mut() {
            step.held += lasted;
            step.statistics.merge(&self.drained);
        }
    }

    /// Closes the current second, which stays readable until [`begin_second`](Self::begin_second).
    pub(crate) fn tick(&mut self, elapsed: Duration, lasted: Duration, users: usize) {
        let all = self.second.all_requests();
        let latency = all.latency();
        let tick = Tick {
            elapsed,
            lasted,
            users,
            requests: all.requests(),
            failures: all.failures(),
            p50: latency.percentile(50.0),
            p95: latency.percentile(95.0),
            p99: latency.percentile(99.0),
        };
        let total_latency = self.total.latency();
        let bins = Bins::of(&latency);
        self.history.push(HistoryRow {
            tick,
            bins,
            percentiles: LOCUST_PERCENTILES.map(|percent| total_latency.percentile(percent)),
            total_requests: self.total.requests(),
            total_failures: self.total.failures(),
            total_bytes: self.total.body_bytes(),
            total_latency: summary(&total_latency),
        });
    }

    /// Forgets the second that was closed.
    pub(crate) fn begin_second(&mut self) {
        self.second.clear();
    }

    /// What was counted in the current second, and in total.
    pub(super) fn counted(&self) -> [&Statistics; 2] {
        [&self.second, &self.total]
    }

    /// When the last request so far ended.
    pub(super) fn last_end(&self) -> Option<Instant> {
        self.total.last_end()
    }

    /// The second that was closed last.
    pub(super) fn last_tick(&self) -> Option<&Tick> {
        self.history.last().map(|row| &row.tick)
    }

    /// A copy of everything so far.
    pub(super) fn so_far(&self) -> Booked {
        (self.total.clone(), self.steps.clone(), self.history.clone(), self.failure_spans.clone())
    }

    pub(crate) fn close(self) -> Booked {
        (self.total, self.steps, self.history, self.failure_spans)
    }

    fn note_failures(&mut self, elapsed: Duration) {
        for (template, counts) in self.drained.by_request().iter().enumerate() {
            for (kind, count) in counts.failures_by_kind() {
                let unseen = FailureSpan { count: 0, first: elapsed, last: elapsed };
                let span = self.failure_spans.entry((template, *kind)).or_insert(unseen);
                span.count += count;
                span.last = elapsed;
            }
        }
    }
}

/// Median, mean, shortest and longest.
fn summary(latency: &Latencies) -> [Duration; 4] {
    [latency.percentile(50.0), latency.mean(), latency.min(), latency.max()]
}
