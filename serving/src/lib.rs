#![doc = include_str!("../README.md")]

pub mod api;
pub mod dialect;
mod error;
mod json;
pub mod layers;
mod limits;
mod metrics;
mod models;
#[cfg(feature = "otlp")]
pub mod otlp;
mod predict;
mod replica;
pub mod server;
mod slot;
mod source;

pub use bytes;
pub use http;
pub use prometheus_client;

pub use self::api::reply::{NOT_PROCESSED, PURE};
pub use self::api::{Api, Repository};
pub use self::error::{BoxError, Error, ErrorKind};
pub use self::limits::Limits;
pub use self::models::{ListedModel, Models};
pub use self::predict::{Predict, PredictFuture, PredictRequest, Workers};
pub use self::replica::{Replica, ReplicaBuilder};
pub use self::slot::{RefusedModel, ServedModel, Slot};
pub use self::source::{Follow, ModelSource, recall_into, warm_up};
