//! Figures about a replica, for Prometheus.
//!
//! Every figure is a counter that a request adds to without waiting for another; sums are made when somebody asks. Figures
//! of a model belong to the model in its slot, so that a swap begins new ones under the new version.

mod exposition;
mod histogram;
mod process;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;

use self::exposition::Exposition;
use self::histogram::Histogram;
pub(crate) use self::process::cpu_time;
use crate::dialect::Dialect;
use crate::{ListedModel, Models};

/// The statuses that a prediction can be answered with; another counts as the last.
const STATUSES: [u16; 11] = [200, 400, 404, 408, 413, 415, 422, 503, 504, 405, 500];

const DIALECTS: [(Dialect, &str); 4] = [
    (Dialect::Predict, "predict"),
    (Dialect::Invocations, "invocations"),
    (Dialect::V1, "v1"),
    (Dialect::V2, "v2"),
];

/// What all requests together did.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    dialects: [Answers; DIALECTS.len()],
    shed: AtomicU64,
}

#[derive(Debug, Default)]
struct Answers {
    by_status: [AtomicU64; STATUSES.len()],
    seconds: Histogram,
}

/// What one model in service did.
#[derive(Debug)]
pub(crate) struct ModelFigures {
    rows: AtomicU64,
    failures: AtomicU64,
    since: SystemTime,
}

impl Metrics {
    /// Notes an answer to a question for the model.
    pub(crate) fn answered(&self, dialect: Dialect, status: StatusCode, after: Duration) {
        let answers = &self.dialects[dialect as usize];
        let place = STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(STATUSES.len() - 1);
        answers.by_status[place].fetch_add(1, Ordering::Relaxed);
        answers.seconds.observe(after);
    }

    /// Notes a request that was refused for lack of room.
    pub(crate) fn shed(&self) {
        self.shed.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes everything in Prometheus' text format.
    pub(crate) fn write(&self, models: &Models, in_flight: usize) -> String {
        let mut out = Exposition::default();
        self.requests(&mut out);
        out.family("martello_requests_in_flight", "gauge", "Predictions being made.");
        out.sample("martello_requests_in_flight", &[], in_flight);
        out.family("martello_requests_shed_total", "counter", "Requests refused for lack of room.");
        out.sample("martello_requests_shed_total", &[], self.shed.load(Ordering::Relaxed));
        write_models(models, &mut out);
        process::write(&mut out);
        out.finish()
    }

    fn requests(&self, out: &mut Exposition) {
        out.family(
            "martello_requests_total",
            "counter",
            "Requests for a prediction, by how they were answered.",
        );
        for (dialect, name) in DIALECTS {
            let counts = &self.dialects[dialect as usize].by_status;
            for (status, count) in STATUSES.iter().zip(counts) {
                let count = count.load(Ordering::Relaxed);
                // A series that never counted says nothing.
                if count > 0 {
                    out.sample(
                        "martello_requests_total",
                        &[("dialect", name), ("code", &status.to_string())],
                        count,
                    );
                }
            }
        }
        let seconds = "martello_request_duration_seconds";
        out.family(seconds, "histogram", "Time from the head of a request to its answer.");
        for (dialect, name) in DIALECTS {
            self.dialects[dialect as usize].seconds.write(seconds, ("dialect", name), out);
        }
    }
}

impl ModelFigures {
    pub(crate) fn new() -> Self {
        Self { rows: AtomicU64::new(0), failures: AtomicU64::new(0), since: SystemTime::now() }
    }

    pub(crate) fn predicted(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

fn write_models(models: &Models, out: &mut Exposition) {
    let served: Vec<_> = models.iter().filter_map(|listed| listed.slot.load()).collect();
    let mut family = |name, kind, help, value: &dyn Fn(&ModelFigures) -> f64| {
        out.family(name, kind, help);
        for served in &served {
            let version = served.version().map(|version| version.to_string()).unwrap_or_default();
            out.sample(name, &[("model", served.name()), ("version", &version)], value(served.figures()));
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 is not reached")]
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64;
    family("martello_model_rows_total", "counter", "Rows predicted.", &|figures| load(&figures.rows));
    family(
        "martello_model_failures_total",
        "counter",
        "Questions that the model failed to answer.",
        &|figures| load(&figures.failures),
    );
    family(
        "martello_model_in_service_since_seconds",
        "gauge",
        "When the model was put into service, since 1970.",
        &|figures| figures.since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
    );
    write_slots(models, out);
}

fn write_slots(models: &Models, out: &mut Exposition) {
    let mut family = |name, kind, help, value: &dyn Fn(&ListedModel) -> u64| {
        out.family(name, kind, help);
        // Several versions of one name are one series.
        let mut sums: Vec<(String, u64)> = Vec::new();
        for listed in models.iter() {
            let name = listed.name().unwrap_or_default();
            match sums.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += value(listed),
                None => sums.push((name, value(listed))),
            }
        }
        for (model, sum) in &sums {
            out.sample(name, &[("model", model)], *sum);
        }
    };
    family("martello_models_in_service", "gauge", "Models of that name in service.", &|listed| {
        u64::from(!listed.slot.is_empty())
    });
    family("martello_model_swaps_total", "counter", "Models put into service.", &|listed| {
        listed.slot.swaps()
    });
    family("martello_model_refusals_total", "counter", "Versions that were found and refused.", &|listed| {
        listed.slot.refusals()
    });
}
