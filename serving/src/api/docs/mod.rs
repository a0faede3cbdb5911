//! `GET /docs`: the model's columns and a form to try it, in one page that needs no network.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::Full;

const PAGE: &str = include_str!("docs.html");

/// The page reads `/openapi.json` itself, so that it shows the model of the moment, even none.
pub(super) fn answer() -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from_static(PAGE.as_bytes())));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    // Nothing but this page's own script and this replica: whatever a model's name contains stays text.
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    answer
}
