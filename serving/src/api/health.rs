//! `GET /health`, `/health/ready`: whether this replica should get requests. `GET /health/live`: whether it should be
//! restarted, which no missing model and no drain is a reason for.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use super::reply;
use crate::Models;
use crate::server::Drain;

/// What `/health` answers.
///
/// | state | status | body |
/// | --- | --- | --- |
/// | serving | 200 | `{"status":"ok","model_loaded":true}` |
/// | no model yet | 503 | `{"status":"unavailable","model_loaded":false}` |
/// | draining | 503 | `{"status":"draining","model_loaded":true}` |
///
/// A version that was found and refused adds `"refused":{"uri":..,"reason":..}`; the model before it goes on serving, so
/// the status does not change for it. With several models, `model_loaded` is about all of them.
#[derive(Debug)]
pub struct Health {
    models: Models,
    drain: Drain,
}

/// Answers that the process is alive, by answering.
pub(super) fn live() -> Response<Full<Bytes>> {
    reply::json(StatusCode::OK, Bytes::from_static(br#"{"status":"alive"}"#))
}

#[derive(Serialize)]
struct Report<'a> {
    status: &'a str,
    model_loaded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Refused<'a>>,
}

#[derive(Serialize)]
struct Refused<'a> {
    uri: &'a str,
    reason: &'a str,
}

impl Health {
    /// Watches the models and a drain.
    #[must_use]
    pub fn new(models: impl Into<Models>, drain: Drain) -> Self {
        Self { models: models.into(), drain }
    }

    /// Returns true if the replica should get requests.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.models.are_ready() && !self.drain.has_begun()
    }

    pub(super) fn models(&self) -> &Models {
        &self.models
    }

    pub(super) fn answer(&self) -> Response<Full<Bytes>> {
        let refused = self.models.iter().find_map(|listed| listed.slot.refused());
        let model_loaded = self.models.are_ready();
        let status = match (model_loaded, self.drain.has_begun()) {
            (_, true) => "draining",
            (true, false) => "ok",
            (false, false) => "unavailable",
        };
        let refused =
            refused.as_deref().map(|refused| Refused { uri: &refused.uri, reason: &refused.reason });
        let report = Report { status, model_loaded, refused };
        let code = if status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        reply::json(code, reply::body(&report))
    }
}
