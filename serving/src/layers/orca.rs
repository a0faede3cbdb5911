//! Tells a balancer with every prediction how busy the replica is, by the Open Request Cost Aggregation header
//! `endpoint-load-metrics` (<https://github.com/cncf/xds/blob/main/xds/data/orca/v3/orca_load_report.proto>).
//!
//! A balancer that weighs its endpoints, as Envoy's client-side weighted round robin does, needs no probes then. The report
//! has `cpu_utilization`, the share of the machine's cores that the process used, and `rps_fractional`, its answers per
//! second, both over the last second or more; until there is a second to report on, there is no header.
//!
//! No replica has it unless it is added.
//!
//! ```
//! use martello_serving::{Replica, layers::orca::OrcaLayer};
//!
//! let replica = Replica::builder().layer(OrcaLayer::new());
//! ```

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use http::{HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::PURE;
use crate::metrics::cpu_time;

/// The header of the report.
pub const LOAD_METRICS: HeaderName = HeaderName::from_static("endpoint-load-metrics");

/// Over how long a report looks back at least. One second: a weight that follows every burst sends the next one elsewhere.
const PERIOD: Duration = Duration::from_secs(1);

/// Puts an [`Orca`] around a service.
#[derive(Debug, Clone, Default)]
pub struct OrcaLayer {
    load: Arc<Load>,
}

impl OrcaLayer {
    /// Creates the layer; whatever it is put around is reported on together.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for OrcaLayer {
    type Service = Orca<S>;

    fn layer(&self, inner: S) -> Orca<S> {
        Orca { inner, load: Arc::clone(&self.load) }
    }
}

/// Adds the report to every answer that is a prediction.
#[derive(Debug, Clone)]
pub struct Orca<S> {
    inner: S,
    load: Arc<Load>,
}

impl<S> Orca<S> {
    /// Returns the service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the service inside, to change it.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Takes the service out.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for Orca<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture { future: self.inner.call(request), load: Arc::clone(&self.load) }
    }
}

pin_project! {
    /// The answer of an [`Orca`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        future: F,
        load: Arc<Load>,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut answer = ready!(this.future.poll(context))?;
        if answer.headers().contains_key(PURE)
            && let Some(report) = this.load.answered(this.load.begun.elapsed())
        {
            answer.headers_mut().insert(LOAD_METRICS, report);
        }
        Poll::Ready(Ok(answer))
    }
}

/// What the process did, shared by all connections.
#[derive(Debug)]
struct Load {
    begun: Instant,
    answers: AtomicU64,
    /// When the next report is due, in nanoseconds from the beginning.
    due: AtomicU64,
    last: ArcSwapOption<Report>,
}

#[derive(Debug)]
struct Report {
    at: Duration,
    answers: u64,
    cpu: Duration,
    text: Option<HeaderValue>,
}

impl Default for Load {
    fn default() -> Self {
        let (answers, due) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { begun: Instant::now(), answers, due, last: ArcSwapOption::empty() }
    }
}

impl Load {
    /// Counts an answer, that long after the beginning, and returns the report of the moment.
    fn answered(&self, now: Duration) -> Option<HeaderValue> {
        let answers = self.answers.fetch_add(1, Ordering::Relaxed) + 1;
        let due = self.due.load(Ordering::Relaxed);
        if now >= Duration::from_nanos(due) {
            let next = u64::try_from((now + PERIOD).as_nanos()).unwrap_or(u64::MAX);
            // One of those who see that a report is due writes it; the others use the one before.
            if self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                self.report(now, answers);
            }
        }
        self.last.load().as_ref().and_then(|last| last.text.clone())
    }

    fn report(&self, at: Duration, answers: u64) {
        let cpu = cpu_time().unwrap_or_default();
        let text = self.last.load().as_ref().and_then(|last| {
            let seconds = (at - last.at).as_secs_f64();
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            #[expect(clippy::cast_precision_loss, reason = "counts within a period are small")]
            let (rps, cores) = ((answers - last.answers) as f64 / seconds, cores as f64);
            let used = cpu.saturating_sub(last.cpu).as_secs_f64() / seconds / cores;
            HeaderValue::try_from(format!("TEXT cpu_utilization={used:.3}, rps_fractional={rps:.1}")).ok()
        });
        self.last.store(Some(Arc::new(Report { at, answers, cpu, text })));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_about_the_period_before() {
        let load = Load::default();
        for _ in 0..10 {
            assert_eq!(load.answered(Duration::ZERO), None);
        }
        // Ten answers came within the two seconds that end with this one, besides the first, which began them.
        let report = load.answered(PERIOD * 2).unwrap();
        let text = report.to_str().unwrap();
        assert!(
            text.starts_with("TEXT cpu_utilization=") && text.ends_with(", rps_fractional=5.0"),
            "{text}"
        );
        assert_eq!(load.answered(PERIOD * 2), Some(report));
    }
}
