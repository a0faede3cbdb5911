//! Tells a balancer with every answer how busy the replica is, by the Open Request Cost Aggregation header
//! `endpoint-load-metrics` (<https://github.com/cncf/xds/blob/main/xds/data/orca/v3/orca_load_report.proto>).
//!
//! A balancer that weighs its endpoints, as Envoy's client-side weighted round robin does, needs no probes then. The report
//! has `cpu_utilization`, the share of the machine's cores that the process used, and `rps_fractional`, its answers per
//! second, both over the last second or more. Until there is a second to report on, both are 0, which a balancer takes for no report.
//!
//! No replica has it unless it is added; `martello serve` has it.
//!
//! ```
//! use martello_serving::{Replica, layers::orca::OrcaLayer};
//!
//! let replica = Replica::builder().layer(OrcaLayer::new());
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use http::{HeaderName, HeaderValue, Request, Response};

use super::observe::{Observe, ObserveLayer};
use crate::metrics::cpu_time;

/// The header of the report.
pub const LOAD_METRICS: HeaderName = HeaderName::from_static("endpoint-load-metrics");

/// Over how long a report looks back at least. One second: a weight that follows every burst sends the next one elsewhere.
const PERIOD: Duration = Duration::from_secs(1);

/// Puts a load report on every answer of a service.
pub type OrcaLayer = ObserveLayer<Orca>;

/// Adds the report to every answer; clones count together.
#[derive(Debug, Clone, Default)]
pub struct Orca {
    load: Arc<Load>,
}

impl OrcaLayer {
    /// Creates the layer; whatever it is put around is reported on together.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Observe for Orca {
    type Seen = ();

    fn request<B>(&self, _: &Request<B>) {}

    fn answer<R>(&self, (): &(), answer: &mut Response<R>) {
        answer.headers_mut().insert(LOAD_METRICS, self.load.answered(self.load.begun.elapsed()));
    }
}

/// What the process did, shared by all connections.
#[derive(Debug)]
struct Load {
    begun: Instant,
    answers: AtomicU64,
    /// When the next report is due, in nanoseconds from the beginning.
    due: AtomicU64,
    last: ArcSwap<Report>,
}

#[derive(Debug)]
struct Report {
    at: Duration,
    answers: u64,
    cpu: Duration,
    text: HeaderValue,
}

impl Default for Load {
    fn default() -> Self {
        let first = Report {
            at: Duration::ZERO,
            answers: 0,
            cpu: cpu_time().unwrap_or_default(),
            text: HeaderValue::from_static("TEXT cpu_utilization=0.000,rps_fractional=0.0"),
        };
        let due = AtomicU64::new(nanoseconds(PERIOD));
        Self { begun: Instant::now(), answers: AtomicU64::new(0), due, last: ArcSwap::from_pointee(first) }
    }
}

impl Load {
    /// Counts an answer, that long after the beginning, and returns the report of the moment.
    fn answered(&self, now: Duration) -> HeaderValue {
        let answers = self.answers.fetch_add(1, Ordering::Relaxed) + 1;
        let due = self.due.load(Ordering::Relaxed);
        if nanoseconds(now) >= due {
            let next = nanoseconds(now + PERIOD);
            // One of those who see that a report is due writes it; the others use the one before.
            if self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                self.report(now, answers);
            }
        }
        self.last.load().text.clone()
    }

    fn report(&self, at: Duration, answers: u64) {
        let (cpu, last) = (cpu_time().unwrap_or_default(), self.last.load());
        let seconds = at.saturating_sub(last.at).as_secs_f64();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        #[expect(clippy::cast_precision_loss, reason = "counts within a period are small")]
        let (rps, cores) = (answers.saturating_sub(last.answers) as f64 / seconds, cores as f64);
        let used = cpu.saturating_sub(last.cpu).as_secs_f64() / seconds / cores;
        let text = HeaderValue::try_from(format!("TEXT cpu_utilization={used:.3},rps_fractional={rps:.1}"));
        if let Ok(text) = text {
            self.last.store(Arc::new(Report { at, answers, cpu, text }));
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_about_the_period_before() {
        let load = Load::default();
        for _ in 0..9 {
            assert_eq!(load.answered(Duration::ZERO), "TEXT cpu_utilization=0.000,rps_fractional=0.0");
        }
        // Ten answers came within the two seconds that end with this one.
        let report = load.answered(PERIOD * 2);
        let text = report.to_str().unwrap();
        assert!(text.starts_with("TEXT cpu_utilization=") && text.ends_with(",rps_fractional=5.0"), "{text}");
        assert_eq!(load.answered(PERIOD * 2), report);
    }
}
