//! An MLflow server over its REST API, from 2.14 to 3.x.
//!
//! [`MlflowClient`] implements [`TrackingStore`](crate::TrackingStore) and [`ModelRegistry`](crate::ModelRegistry), and speaks of
//! the logged models that MLflow has since version 3. What a server does once is not done twice: a creation whose answer was
//! lost is looked up before it is repeated.

mod answer;
mod batch;
mod change;
mod client;
mod create;
mod filter;
mod logged_models;
mod making;
mod message;
mod models;
mod multipart;
mod options;
mod page;
mod search;
mod tracking;

pub use crate::http::{Credentials, HttpOptions, Proxies, ServerAnswer, TlsOptions, Trust};
pub use client::MlflowClient;
pub use logged_models::{LoggedModel, LoggedModelStatus, NewLoggedModel};
pub use multipart::{MultipartOptions, PassBy};
pub use options::RestOptions;
