//! What MLflow's scoring server shows besides predictions.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;

use crate::api::reply;

/// The release of MLflow whose scoring server is spoken here, which its clients ask for.
const SPOKEN: &str = "3.17.2";

/// Answers `/ping`: a line with nothing in it.
pub(in crate::api) fn ping(ready: bool) -> Response<Full<Bytes>> {
    let status = if ready { StatusCode::OK } else { StatusCode::NOT_FOUND };
    reply::json(status, Bytes::from_static(b"\n"))
}

pub(in crate::api) fn version() -> Response<Full<Bytes>> {
    reply::json(StatusCode::OK, Bytes::from_static(SPOKEN.as_bytes()))
}
