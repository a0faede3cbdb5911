//! `GET /`: what this is and where to look.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::reply;
use crate::Slot;

pub(super) fn answer(slot: &Slot) -> Response<Full<Bytes>> {
    let served = slot.load();
    let body = json!({
        // What the liveness probe of KServe's V1 clients looks for.
        "status": "alive",
        "model": served.as_ref().map(|served| served.name()),
        "version": served.as_ref().and_then(|served| served.version()),
        "links": { "predict": "/predict", "health": "/health", "docs": "/docs", "openapi": "/openapi.json", "metrics": "/metrics" },
    });
    reply::json(StatusCode::OK, reply::body(&body))
}
