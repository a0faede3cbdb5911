//! The balancer's own answers: what a client is told when no replica answers it.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use crate::error::{Error, ErrorKind};
use crate::h1::Body;

/// How long a client is asked to wait after a 503. One second: about a probe interval, after which an endpoint may
/// be back.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// Turns an error into the answer that its client gets.
///
/// The body is JSON for people and programs alike: `{"detail":"…","reason":"no-endpoint"}`. The reason is one of a
/// few words that do not change, so that *why* needs no guessing.
pub(crate) fn response(error: &Error) -> Response<Body> {
    let status = status(error.kind());
    let text = format!(r#"{{"detail":"{}","reason":"{}"}}"#, error.message(), reason(error.kind()));
    let mut response = Response::new(Body::from(Bytes::from(text)));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let now = httpdate::fmt_http_date(std::time::SystemTime::now());
    if let Ok(now) = HeaderValue::try_from(now) {
        fields.insert(DATE, now);
    }
    match status {
        StatusCode::SERVICE_UNAVAILABLE => fields.insert(RETRY_AFTER, RETRY_AFTER_SECONDS),
        // RFC 9110 section 15.5.6 demands the field; the one method that is refused here is CONNECT.
        StatusCode::METHOD_NOT_ALLOWED => fields
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE")),
        _ => None,
    };
    response
}

/// The status that a client gets for an error (RFC 9110 section 15).
pub(crate) fn status(kind: ErrorKind) -> StatusCode {
    use ErrorKind as Kind;
    match kind {
        Kind::BadRequest { status } => status,
        Kind::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::ClientTimeout => StatusCode::REQUEST_TIMEOUT,
        Kind::ClientGone => StatusCode::BAD_REQUEST,
        Kind::Connect | Kind::StaleConnection | Kind::UpstreamReset | Kind::UpstreamProtocol => {
            StatusCode::BAD_GATEWAY
        }
        Kind::ConnectTimeout | Kind::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::NoEndpoint | Kind::Overloaded | Kind::Draining => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Service | Kind::Local => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn reason(kind: ErrorKind) -> &'static str {
    use ErrorKind as Kind;
    match kind {
        Kind::Connect => "connect-failed",
        Kind::ConnectTimeout => "connect-timeout",
        Kind::StaleConnection => "connection-closed",
        Kind::UpstreamReset => "upstream-reset",
        Kind::UpstreamTimeout => "upstream-timeout",
        Kind::UpstreamProtocol => "upstream-protocol",
        Kind::BadRequest { .. } => "bad-request",
        Kind::ClientTimeout => "client-timeout",
        Kind::ClientGone => "client-gone",
        Kind::BodyTooLarge => "body-too-large",
        Kind::NoEndpoint => "no-endpoint",
        Kind::Overloaded => "overloaded",
        Kind::Draining => "draining",
        Kind::Service => "service-failed",
        Kind::Local => "balancer-failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_says_why_in_json() {
        let kinds = [
            (ErrorKind::Connect, 502),
            (ErrorKind::ConnectTimeout, 504),
            (ErrorKind::UpstreamTimeout, 504),
            (ErrorKind::UpstreamProtocol, 502),
            (ErrorKind::BodyTooLarge, 413),
            (ErrorKind::NoEndpoint, 503),
            (ErrorKind::Overloaded, 503),
            (ErrorKind::ClientTimeout, 408),
            (ErrorKind::BadRequest { status: StatusCode::URI_TOO_LONG }, 414),
        ];
        for (kind, expected) in kinds {
            let response = response(&Error::new(kind, "it failed"));
            assert_eq!(response.status().as_u16(), expected, "{kind:?}");
            assert_eq!(response.headers().contains_key(RETRY_AFTER), expected == 503);
            let body: serde_json::Value =
                serde_json::from_slice(response.body().as_bytes().expect("it is in memory"))
                    .expect("it is JSON");
            assert_eq!(body["detail"], "it failed");
            assert_eq!(body["reason"], reason(kind));
        }
    }
}
