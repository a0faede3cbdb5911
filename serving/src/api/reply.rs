//! The answers that are the same whoever asks, in FastAPI's shapes.

use std::fmt;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use crate::models::{Absent, Wanted};

/// Says that an answer is a pure function of the request: repeating the request is safe even after bytes were sent. The
/// value is the boolean of structured fields (RFC 9651).
pub const PURE: HeaderName = HeaderName::from_static("martello-pure");

/// Says that a request was refused before anything was done with it, and why: repeating it elsewhere is safe.
pub const NOT_PROCESSED: HeaderName = HeaderName::from_static("martello-not-processed");

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Returns an answer with a JSON body.
pub(crate) fn json<R: From<Bytes>>(status: StatusCode, body: Bytes) -> Response<R> {
    let mut answer = Response::new(R::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, JSON);
    answer
}

/// Returns the JSON of an answer that is made here, whose parts all serialise.
pub(crate) fn body(value: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(value).expect("text, numbers and lists of them serialise").into()
}

pub(crate) fn pure<R>(mut answer: Response<R>) -> Response<R> {
    answer.headers_mut().insert(PURE, HeaderValue::from_static("?1"));
    answer
}

/// Returns an error in FastAPI's shape.
pub(crate) fn detail<R: From<Bytes>>(status: StatusCode, message: &str) -> Response<R> {
    json(status, body(&serde_json::json!({ "detail": message })))
}

/// Returns the answer to a body in a coding that nobody in front has undone (RFC 9110 section 15.5.16).
pub(crate) fn compressed<R: From<Bytes>>() -> Response<R> {
    let mut answer =
        detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Compressed request bodies are not taken here");
    answer.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    answer
}

/// Returns the answer for a model that is not there to be asked.
pub(crate) fn absent<R: From<Bytes>>(wanted: &Wanted<'_>, absent: Absent) -> Response<R> {
    let name = wanted.name.as_deref().unwrap_or_default();
    match absent {
        Absent::NotLoaded => no_model(),
        Absent::Unknown => {
            detail(StatusCode::NOT_FOUND, &format!("Request for unknown model: {name:?} is not found"))
        }
        Absent::OtherVersion => {
            let message =
                format!("Request for unknown model version: {name:?} is not served in that version");
            detail(StatusCode::NOT_FOUND, &message)
        }
    }
}

pub(crate) fn no_model<R: From<Bytes>>() -> Response<R> {
    let body = Bytes::from_static(br#"{"detail":"Model unavailable"}"#);
    not_processed(json(StatusCode::SERVICE_UNAVAILABLE, body), "no-model")
}

pub(crate) fn shed<R: From<Bytes>>() -> Response<R> {
    let body = Bytes::from_static(br#"{"detail":"Too many requests in flight"}"#);
    let mut answer = not_processed(json(StatusCode::SERVICE_UNAVAILABLE, body), "shed");
    // One second is the least that the field can say.
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

pub(crate) fn prediction_error<R: From<Bytes>>(error: &dyn fmt::Display) -> Response<R> {
    let body = serde_json::json!({ "detail": format!("Prediction error: {error}") });
    json(StatusCode::INTERNAL_SERVER_ERROR, self::body(&body))
}

pub(crate) fn not_found<R: From<Bytes>>() -> Response<R> {
    json(StatusCode::NOT_FOUND, Bytes::from_static(br#"{"detail":"Not Found"}"#))
}

pub(crate) fn method_not_allowed<R: From<Bytes>>(allow: &'static str) -> Response<R> {
    let body = Bytes::from_static(br#"{"detail":"Method Not Allowed"}"#);
    let mut answer = json(StatusCode::METHOD_NOT_ALLOWED, body);
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    answer
}

fn not_processed<R>(mut answer: Response<R>, reason: &'static str) -> Response<R> {
    answer.headers_mut().insert(NOT_PROCESSED, HeaderValue::from_static(reason));
    pure(answer)
}
