//! Says errors in the words of a dialect.
//!
//! Whatever goes wrong on the way (no room, no body, no model) is answered by layers that know no dialect, in FastAPI's
//! shape. One place at the edge turns that shape into another, so that no layer needs to be told who is asking.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::Response;
use http_body::Body as _;
use http_body_util::Full;
use serde_json::Value;

use crate::dialect::Dialect;

pub(super) fn translate(dialect: Dialect, answer: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    if dialect == Dialect::Predict
        || !(answer.status().is_client_error() || answer.status().is_server_error())
    {
        return answer;
    }
    let (parts, body) = answer.into_parts();
    let bytes = whole(body);
    let detail = serde_json::from_slice(&bytes)
        .ok()
        .and_then(|mut body: Value| body.get_mut("detail").map(Value::take));
    let bytes = detail.map_or(bytes, |detail| dialect.error(parts.status, &detail));
    Response::from_parts(parts, Full::new(bytes))
}

/// Takes the one piece out of a body that is always there.
fn whole(mut body: Full<Bytes>) -> Bytes {
    match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        _ => Bytes::new(),
    }
}
