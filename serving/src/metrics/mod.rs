//! Figures about a replica, for Prometheus.
//!
//! Every figure is a counter that a request adds to without waiting for another; sums are made when somebody asks. Figures
//! belong to a version of a model and outlive it in its slot, so that what it did last is told too, and a version that comes
//! back counts on.

mod collector;
mod figures;
mod histogram;
mod process;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::registry::Registry;

use self::collector::Collector;
pub(crate) use self::figures::ModelFigures;
pub(crate) use self::process::cpu_time;
use crate::Models;
use crate::dialect::Dialect;

/// The statuses that a prediction can be answered with; another counts as the last.
const STATUSES: [u16; 11] = [200, 400, 404, 408, 413, 415, 422, 503, 504, 405, 500];

const DIALECTS: [(Dialect, &str); 4] = [
    (Dialect::Predict, "predict"),
    (Dialect::Invocations, "invocations"),
    (Dialect::V1, "v1"),
    (Dialect::V2, "v2"),
];

/// The figures of one replica.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// What was answered without a model: none is loaded, or none has that name.
    without_model: Arc<ModelFigures>,
    registry: Registry,
}

impl Metrics {
    pub(crate) fn new(models: &Models) -> Self {
        let without_model = Arc::new(ModelFigures::new("", None));
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Collector::new(models.clone(), Arc::clone(&without_model))));
        Self { without_model, registry }
    }

    /// Notes the answer to a question that was for no model in service.
    pub(crate) fn answered_without_model(&self, dialect: Dialect, status: StatusCode) {
        self.without_model.answered(dialect, status, Duration::ZERO);
    }

    /// Writes everything in Prometheus' text format.
    pub(crate) fn write(&self) -> String {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry).expect("a String takes every text");
        text
    }
}
