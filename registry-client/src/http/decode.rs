//! Errors as MLflow and the proxies before it answer them: JSON, HTML and plain text, each turned into one kind.
//!
//! The table is measured on MLflow 2.14 and 3.17. Several rows are not what one would guess: a taken name is a 400, an unknown
//! alias may be a 400 or a 404, and a lost race between two creators is a 400 or a 500 although nothing was written.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::failure::{Failure, Reach, ServerAnswer};
use crate::config::redact;
use crate::{Error, ErrorKind};

/// How much of an error's text is kept: enough for MLflow's longest messages, and no log is flooded with a stack trace.
const MAX_MESSAGE_BYTES: usize = 2048;

/// The body of an error of MLflow.
#[derive(Deserialize)]
struct Body {
    error_code: Option<String>,
    #[serde(default)]
    message: String,
}

/// What is to be done about an error.
struct Verdict {
    kind: ErrorKind,
    reach: Reach,
    transient: bool,
    advice: &'static str,
}

/// Turns an unsuccessful answer into a failure.
pub(crate) fn decode(doing: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let answer = read(status, headers, body);
    let Verdict { kind, reach, transient, advice } = judge(&answer);
    let code = answer.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
    let message = format!("cannot {doing}: the server answered {}{code}{advice}", status.as_u16());
    let retry_after = retry_after(headers);
    Failure { error: Error::new(kind, message).with_source(answer), reach, transient, retry_after }
}

fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ServerAnswer {
    let (code, message) = match serde_json::from_slice::<Body>(body) {
        Ok(body) => (body.error_code, body.message),
        Err(_) => (None, String::from_utf8_lossy(body).into_owned()),
    };
    let message = match headers.get(header::LOCATION).and_then(|value| value.to_str().ok()) {
        Some(location) if status.is_redirection() => format!("redirected to {}", redact(location)),
        _ => message,
    };
    ServerAnswer { status: status.as_u16(), code, message: shorten(message.trim()) }
}

fn shorten(text: &str) -> String {
    let mut end = text.len().min(MAX_MESSAGE_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

fn judge(answer: &ServerAnswer) -> Verdict {
    match answer.code.as_deref() {
        Some(code) => judge_code(code, answer),
        None => judge_status(answer),
    }
}

fn judge_code(code: &str, answer: &ServerAnswer) -> Verdict {
    match code {
        "RESOURCE_DOES_NOT_EXIST" | "NOT_FOUND" => lasting(ErrorKind::NotFound, ""),
        "RESOURCE_ALREADY_EXISTS" | "ALREADY_EXISTS" => lasting(ErrorKind::AlreadyExists, ""),
        "INVALID_PARAMETER_VALUE" if is_missing_alias(&answer.message) => lasting(ErrorKind::NotFound, ""),
        "INVALID_PARAMETER_VALUE" | "INVALID_STATE" => lasting(ErrorKind::InvalidArgument, ""),
        "BAD_REQUEST" if is_lost_race(&answer.message) => refused(ErrorKind::Conflict),
        "INTERNAL_ERROR" if is_lost_race(&answer.message) => refused(ErrorKind::Conflict),
        "INTERNAL_ERROR" => lasting(ErrorKind::Unavailable, ": see the server's log"),
        "TEMPORARILY_UNAVAILABLE" | "REQUEST_LIMIT_EXCEEDED" => refused(ErrorKind::Unavailable),
        "UNAUTHENTICATED" => unauthenticated(),
        "PERMISSION_DENIED" => lasting(ErrorKind::PermissionDenied, ""),
        "RESOURCE_CONFLICT" | "ABORTED" => lasting(ErrorKind::Conflict, ""),
        "NOT_IMPLEMENTED" | "ENDPOINT_NOT_FOUND" => lasting(ErrorKind::Unsupported, ""),
        _ => judge_status(answer),
    }
}

fn judge_status(answer: &ServerAnswer) -> Verdict {
    match answer.status {
        300..=399 => lasting(ErrorKind::InvalidArgument, ": set the tracking uri to where it redirects to"),
        401 => unauthenticated(),
        403 if answer.message.contains("Host header") => lasting(
            ErrorKind::PermissionDenied,
            ": start `mlflow server` with --allowed-hosts for the name that is used here",
        ),
        403 => lasting(ErrorKind::PermissionDenied, ""),
        404 | 405 | 501 => {
            lasting(ErrorKind::Unsupported, ": it is no MLflow server, or an older one without this function")
        }
        408 => unknown(ErrorKind::Timeout),
        413 => lasting(ErrorKind::InvalidArgument, ": it, or a proxy before it, takes no body of this size"),
        429 => refused(ErrorKind::Unavailable),
        503 if answer.message.contains("serve-artifacts") => lasting(
            ErrorKind::Unsupported,
            ": it serves no artifacts, start `mlflow server` with --serve-artifacts",
        ),
        500 | 502..=504 => unknown(ErrorKind::Unavailable),
        507 => lasting(ErrorKind::StorageFull, ""),
        400..=499 => lasting(ErrorKind::InvalidArgument, ""),
        _ => lasting(ErrorKind::Protocol, ""),
    }
}

fn is_missing_alias(message: &str) -> bool {
    message.to_ascii_lowercase().contains("alias") && message.contains("not found")
}

/// Two creators took the same number or alias; the database rolled one of them back.
fn is_lost_race(message: &str) -> bool {
    [
        "Giving up after",
        "Duplicate entry",
        "UNIQUE constraint",
        "transaction has been rolled back",
        "Deadlock found",
    ]
    .iter()
    .any(|sign| message.contains(sign))
}

fn lasting(kind: ErrorKind, advice: &'static str) -> Verdict {
    Verdict { kind, reach: Reach::NotProcessed, transient: false, advice }
}

fn unauthenticated() -> Verdict {
    lasting(
        ErrorKind::Unauthenticated,
        ": set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
    )
}

fn refused(kind: ErrorKind) -> Verdict {
    Verdict { kind, reach: Reach::NotProcessed, transient: true, advice: "" }
}

fn unknown(kind: ErrorKind) -> Verdict {
    Verdict { kind, reach: Reach::Unknown, transient: true, advice: "" }
}

/// Reads `Retry-After`: seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(std::time::SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &str) -> Failure {
        decode("do it", StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes())
    }

    fn json(code: &str, message: &str) -> String {
        serde_json::json!({"error_code": code, "message": message, "sqlstate": "KAM00"}).to_string()
    }

    #[test]
    fn every_error_that_mlflow_answers_has_its_kind() {
        use ErrorKind::*;
        let check = |status: u16, body: &str, kind: ErrorKind| {
            let failure = failure(status, body);
            assert_eq!(failure.error.kind(), kind, "{status} {body}");
            assert!(
                failure.error.to_string().starts_with("cannot do it: the server answered"),
                "{}",
                failure.error
            );
        };
        check(404, &json("RESOURCE_DOES_NOT_EXIST", "Run with id=x not found"), NotFound);
        check(400, &json("RESOURCE_ALREADY_EXISTS", "taken"), AlreadyExists);
        check(400, &json("INVALID_PARAMETER_VALUE", "Registered model alias x not found."), NotFound);
        check(400, &json("INVALID_PARAMETER_VALUE", "Invalid value"), InvalidArgument);
        check(400, &json("BAD_REQUEST", "(IntegrityError) (1062, \"Duplicate entry 'x'\")"), Conflict);
        check(400, &json("BAD_REQUEST", "This Session's transaction has been rolled back"), Conflict);
        check(400, &json("BAD_REQUEST", "something else"), InvalidArgument);
        check(
            500,
            &json("INTERNAL_ERROR", "Model Version creation error. Giving up after 3 attempts."),
            Conflict,
        );
        check(500, &json("INTERNAL_ERROR", "boom"), Unavailable);
        check(503, &json("TEMPORARILY_UNAVAILABLE", "db"), Unavailable);
        check(429, &json("REQUEST_LIMIT_EXCEEDED", "slow down"), Unavailable);
        check(401, &json("UNAUTHENTICATED", ""), Unauthenticated);
        check(403, &json("PERMISSION_DENIED", ""), PermissionDenied);
        check(409, &json("RESOURCE_CONFLICT", ""), Conflict);
        check(501, &json("NOT_IMPLEMENTED", ""), Unsupported);
        check(404, "<!doctype html><title>404 Not Found</title>", Unsupported);
        check(405, "<!doctype html>", Unsupported);
        check(500, "<!doctype html><title>500</title>", Unavailable);
        check(500, "Internal Server Error", Unavailable);
        check(401, "You are not authenticated. Please see ...", Unauthenticated);
        check(403, "Permission denied", PermissionDenied);
        check(403, "Invalid Host header - possible DNS rebinding attack detected", PermissionDenied);
        check(
            503,
            "Endpoint disabled due to the mlflow server running with `--no-serve-artifacts`",
            Unsupported,
        );
        check(504, "", Unavailable);
        check(408, "", Timeout);
        check(413, "", InvalidArgument);
        check(302, "", InvalidArgument);
    }

    #[test]
    fn a_lost_race_may_be_run_again_and_an_unknown_outcome_is_known_as_one() {
        let race = failure(500, &json("INTERNAL_ERROR", "Giving up after 3 attempts"));
        assert!(race.transient && race.reach == Reach::NotProcessed);
        let gone = failure(502, "bad gateway");
        assert!(gone.transient && gone.reach == Reach::Unknown);
        assert_eq!(gone.into_error_of_once("make a run").kind(), ErrorKind::Ambiguous);
    }

    #[test]
    fn the_server_says_why_and_when_in_bounds() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, "7".parse().unwrap());
        headers.insert(header::LOCATION, "https://u:secret@host/x?token=secret".parse().unwrap());
        let failure = decode("do it", StatusCode::FOUND, &headers, b"");
        assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
        assert!(!format!("{:?}", failure.error).contains("secret"));
        let long = shorten(&"ä".repeat(3000));
        assert!(long.len() <= MAX_MESSAGE_BYTES && long.starts_with("ää"));
    }
}
