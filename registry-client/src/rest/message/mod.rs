//! What goes over the wire, as MLflow's protobuf-to-JSON writes it: lists that are empty are left out, numbers may be texts, and
//! a version is a text.

mod experiment;
mod model;
mod number;
mod run;

use serde::{Deserialize, Serialize};

pub(super) use experiment::ExperimentMessage;
pub(super) use model::{ModelMessage, VersionMessage};
pub(super) use number::Number;
pub(super) use run::{MetricMessage, RunMessage};

use crate::{Error, ErrorKind, Lifecycle, Tags};

/// A tag, or a parameter.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pair {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

pub(super) fn pairs(tags: &Tags) -> Vec<Pair> {
    tags.iter().map(|(key, value)| Pair { key: key.clone(), value: value.clone() }).collect()
}

pub(super) fn tags(pairs: Vec<Pair>) -> Tags {
    pairs.into_iter().map(|pair| (pair.key, pair.value)).collect()
}

/// Returns a text that says something.
fn said(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn lifecycle(text: Option<&str>) -> Lifecycle {
    if text == Some("deleted") { Lifecycle::Deleted } else { Lifecycle::Active }
}

fn unknown(what: &str, error: Error) -> Error {
    Error::new(ErrorKind::Protocol, format!("the server answered a {what} that is not known here"))
        .with_source(error)
}
