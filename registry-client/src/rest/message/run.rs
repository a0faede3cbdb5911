//! Runs and metrics.

use serde::{Deserialize, Serialize};

use super::{Number, Pair, lifecycle, number, tags, unknown};
use crate::{Error, Metric, Run, RunStatus, Timestamp};

#[derive(Deserialize)]
pub(in crate::rest) struct RunMessage {
    info: Info,
    #[serde(default)]
    data: Data,
}

#[derive(Deserialize)]
struct Info {
    run_id: String,
    experiment_id: String,
    #[serde(default)]
    run_name: String,
    #[serde(default)]
    user_id: String,
    status: String,
    #[serde(default, deserialize_with = "number::time")]
    start_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "number::time")]
    end_time: Option<Timestamp>,
    #[serde(default)]
    artifact_uri: String,
    lifecycle_stage: Option<String>,
}

#[derive(Default, Deserialize)]
struct Data {
    #[serde(default)]
    metrics: Vec<MetricMessage>,
    #[serde(default)]
    params: Vec<Pair>,
    #[serde(default)]
    tags: Vec<Pair>,
}

#[derive(Serialize, Deserialize)]
pub(in crate::rest) struct MetricMessage {
    key: String,
    value: Number,
    #[serde(deserialize_with = "number::integer")]
    timestamp: i64,
    #[serde(default, deserialize_with = "number::integer")]
    step: i64,
}

impl TryFrom<RunMessage> for Run {
    type Error = Error;

    fn try_from(RunMessage { info, data }: RunMessage) -> Result<Self, Error> {
        let status: RunStatus = info.status.parse().map_err(|error| unknown("run status", error))?;
        Ok(Self {
            run_id: info.run_id,
            experiment_id: info.experiment_id,
            name: info.run_name,
            user_id: info.user_id,
            status,
            start_time: info.start_time,
            // Protobuf's JSON writes an end that is not set as 0 on some servers.
            end_time: info.end_time.filter(|end| end.as_millis() != 0),
            lifecycle: lifecycle(info.lifecycle_stage.as_deref()),
            artifact_uri: info.artifact_uri,
            params: tags(data.params),
            metrics: data.metrics.into_iter().map(|metric| (metric.key, metric.value.0)).collect(),
            tags: tags(data.tags),
        })
    }
}

impl From<MetricMessage> for Metric {
    fn from(message: MetricMessage) -> Self {
        Self {
            key: message.key,
            value: message.value.0,
            timestamp: Timestamp::from_millis(message.timestamp),
            step: message.step,
        }
    }
}

impl From<&Metric> for MetricMessage {
    fn from(metric: &Metric) -> Self {
        Self {
            key: metric.key.clone(),
            value: Number(metric.value),
            timestamp: metric.timestamp.as_millis(),
            step: metric.step,
        }
    }
}
