//! `GET /metrics`.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::Full;

use crate::Models;
use crate::metrics::Metrics;

const TEXT_FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

pub(in crate::api) fn answer(metrics: &Metrics, models: &Models, in_flight: usize) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(metrics.write(models, in_flight).into()));
    answer.headers_mut().insert(header::CONTENT_TYPE, TEXT_FORMAT);
    answer
}
