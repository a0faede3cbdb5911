//! The families of figures, as they are told to Prometheus.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use prometheus_client::collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::{DIALECTS, ModelFigures, process};
use crate::{ListedModel, Models};

/// Reads the figures of all models when it is asked.
#[derive(Debug)]
pub(super) struct Collector {
    models: Models,
    without_model: Arc<ModelFigures>,
}

type Figures = [Arc<ModelFigures>];

impl Collector {
    pub(super) fn new(models: Models, without_model: Arc<ModelFigures>) -> Self {
        Self { models, without_model }
    }

    /// Returns the figures of every version, in the order of the list; two slots may serve the same one.
    fn figures(&self) -> Vec<Arc<ModelFigures>> {
        let mut all: Vec<Arc<ModelFigures>> = Vec::new();
        for figures in self.models.iter().flat_map(|listed| listed.slot.figures()) {
            if !all.iter().any(|known| known.are_of(&figures)) {
                all.push(figures);
            }
        }
        all
    }
}

impl collector::Collector for Collector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let versions = self.figures();
        let all: Vec<_> = versions.iter().cloned().chain([Arc::clone(&self.without_model)]).collect();
        requests(&all, &mut encoder)?;
        of_versions(&versions, &mut encoder)?;
        in_service(&self.models, &mut encoder)?;
        of_slots(&self.models, &mut encoder)?;
        process::encode(&mut encoder)
    }
}

fn requests(all: &Figures, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Requests for a prediction, by how they were answered";
    let mut family = encoder.encode_descriptor("martello_requests", help, None, MetricType::Counter)?;
    for figures in all {
        for (dialect, name) in DIALECTS {
            for (status, count) in figures.answers(dialect).by_status() {
                let ([model, version], status) = (figures.labels(), status.to_string());
                let labels = [model, version, ("dialect", name), ("code", status.as_str())];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
    }
    let help = "Time from the head of a request to its answer";
    let name = "martello_request_duration_seconds";
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for figures in all {
        for (dialect, name) in DIALECTS {
            let seconds = &figures.answers(dialect).seconds;
            if !seconds.is_empty() {
                let [model, version] = figures.labels();
                seconds.encode(family.encode_family(&[model, version, ("dialect", name)])?)?;
            }
        }
    }
    let help = "Requests refused for lack of room, before they were read";
    let mut family = encoder.encode_descriptor("martello_requests_shed", help, None, MetricType::Counter)?;
    for figures in all {
        for (dialect, name) in DIALECTS {
            let [model, version] = figures.labels();
            let shed = ConstCounter::new(figures.answers(dialect).shed());
            shed.encode(family.encode_family(&[model, version, ("dialect", name)])?)?;
        }
    }
    Ok(())
}

fn of_versions(versions: &Figures, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut counter = |name, help, value: fn(&ModelFigures) -> u64| {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        each(versions, &mut family, |figures, encoder| ConstCounter::new(value(figures)).encode(encoder))
    };
    counter("martello_model_rows", "Rows predicted", ModelFigures::rows)?;
    let help = "Requests that do not keep the model's signature";
    counter("martello_model_validation_errors", help, ModelFigures::invalid_requests)?;
    counter("martello_model_failures", "Questions that the model failed to answer", ModelFigures::failures)?;
    let help = "Requests for a prediction that are not answered yet";
    let mut family =
        encoder.encode_descriptor("martello_requests_in_flight", help, None, MetricType::Gauge)?;
    each(versions, &mut family, |figures, encoder| ConstGauge::new(figures.in_flight()).encode(encoder))
}

fn each(
    versions: &Figures,
    family: &mut MetricEncoder<'_>,
    encode: impl Fn(&ModelFigures, MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    versions.iter().try_for_each(|figures| encode(figures, family.encode_family(&figures.labels())?))
}

fn in_service(models: &Models, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut served: Vec<Arc<ModelFigures>> = Vec::new();
    for figures in
        models.iter().filter_map(|listed| listed.slot.load()).map(|served| Arc::clone(served.figures()))
    {
        if !served.iter().any(|known| known.are_of(&figures)) {
            served.push(figures);
        }
    }
    let help = "When the model was put into service, since 1970";
    let name = "martello_model_in_service_since_seconds";
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    each(&served, &mut family, |figures, encoder| {
        ConstGauge::new(figures.since().as_secs_f64()).encode(encoder)
    })?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let help = "How long the model has been in service";
    let mut family =
        encoder.encode_descriptor("martello_model_age_seconds", help, None, MetricType::Gauge)?;
    each(&served, &mut family, |figures, encoder| {
        ConstGauge::new(now.saturating_sub(figures.since()).as_secs_f64()).encode(encoder)
    })
}

fn of_slots(models: &Models, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut family = |name, help, kind, value: fn(&ListedModel) -> u64| {
        let mut family = encoder.encode_descriptor(name, help, None, kind)?;
        for (model, sum) in sums(models, value) {
            let labels = [("model", model.as_str())];
            let encoder = family.encode_family(&labels)?;
            match kind {
                MetricType::Counter => ConstCounter::new(sum).encode(encoder)?,
                _ => ConstGauge::new(sum).encode(encoder)?,
            }
        }
        Ok::<(), fmt::Error>(())
    };
    let help = "Models of that name in service";
    family("martello_models_in_service", help, MetricType::Gauge, |listed| {
        u64::from(!listed.slot.is_empty())
    })?;
    family("martello_model_swaps", "Models put into service", MetricType::Counter, |listed| {
        listed.slot.swaps()
    })?;
    let help = "Versions that were found and refused";
    family("martello_model_refusals", help, MetricType::Counter, |listed| listed.slot.refusals())
}

/// Sums up by name: several versions of one name are one series.
fn sums(models: &Models, value: fn(&ListedModel) -> u64) -> Vec<(String, u64)> {
    let mut sums: Vec<(String, u64)> = Vec::new();
    for listed in models.iter() {
        let name = listed.name().unwrap_or_default();
        match sums.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += value(listed),
            None => sums.push((name, value(listed))),
        }
    }
    sums
}
