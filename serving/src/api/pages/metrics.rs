//! `GET /metrics`.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::Full;
use prometheus_client::encoding::prometheus_text;

use crate::metrics::Metrics;

const TEXT_FORMAT: HeaderValue = HeaderValue::from_static(prometheus_text::CONTENT_TYPE);

pub(in crate::api) fn answer(metrics: &Metrics) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(metrics.write().into()));
    answer.headers_mut().insert(header::CONTENT_TYPE, TEXT_FORMAT);
    answer
}
