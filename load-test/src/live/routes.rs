//! What each path answers; names and parameters are Locust's where Locust has them.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;

use crate::live::control::Control;
use crate::live::page;
use crate::plan::Goal;

/// The longest form that is read: two numbers and their names.
const MAX_FORM: usize = 4 * 1024;

type Answer = Response<Full<Bytes>>;

pub(super) async fn answer(control: Arc<Control>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let path = request.uri().path().to_owned();
    Ok(match (request.method(), path.as_str()) {
        (&Method::GET, "/") => text("text/html; charset=utf-8", page::whole(&control)),
        (&Method::GET, "/live") => text("text/html; charset=utf-8", page::fragment(&control.view())),
        (&Method::POST, _) if !is_from_the_page(&request) => {
            refusal(StatusCode::FORBIDDEN, "another page must not start load here")
        }
        (&Method::POST, "/swarm") => swarm(&control, request).await,
        (&Method::POST, "/stop") => {
            control.stop();
            text("text/plain; charset=utf-8", "stopping")
        }
        (&Method::GET, path) if path.starts_with("/stats/") => download(&control, path),
        _ => refusal(StatusCode::NOT_FOUND, "there is nothing here"),
    })
}

/// A browser names the page that a request comes from; a foreign one must not press the buttons of this one.
fn is_from_the_page(request: &Request<Incoming>) -> bool {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    match (header(ORIGIN), header(HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin.strip_prefix("http://") == Some(host),
        (Some(_), None) => false,
    }
}

async fn swarm(control: &Arc<Control>, request: Request<Incoming>) -> Answer {
    let Ok(body) = Limited::new(request.into_body(), MAX_FORM).collect().await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the form is too long or broke off");
    };
    let body = body.to_bytes();
    let form = String::from_utf8_lossy(&body);
    let field = |name: &str| {
        form.split('&')
            .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
            .map(|(_, value)| value)
    };
    let (Some(users), Some(rate)) = (
        field("user_count").and_then(|value| value.parse().ok()),
        field("spawn_rate").and_then(|value| value.parse().ok()),
    ) else {
        return refusal(
            StatusCode::BAD_REQUEST,
            "expected user_count, a whole number, and spawn_rate, a number",
        );
    };
    match Goal::new(users, rate).and_then(|goal| control.swarm(goal)) {
        Ok(()) => text("text/plain; charset=utf-8", "swarming"),
        Err(error) => refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn download(control: &Control, path: &str) -> Answer {
    let Some(report) = control.view().report else {
        return refusal(StatusCode::NOT_FOUND, "there is no report before the first second of a test");
    };
    let csv = |suffix| report.csv(suffix).map(|bytes| ("text/csv; charset=utf-8", bytes));
    let found = match path {
        "/stats/report" => Some(("text/html; charset=utf-8", report.to_html().into_bytes())),
        "/stats/json" => serde_json::to_vec_pretty(&*report).ok().map(|bytes| ("application/json", bytes)),
        "/stats/requests/csv" => csv("_stats.csv"),
        "/stats/requests_full_history/csv" => csv("_stats_history.csv"),
        "/stats/failures/csv" => csv("_failures.csv"),
        _ => None,
    };
    let Some((kind, bytes)) = found else {
        return refusal(StatusCode::NOT_FOUND, "there is no such download");
    };
    let mut answer = text(kind, bytes);
    if kind.starts_with("text/csv") {
        answer.headers_mut().insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
    answer
}

fn text(kind: &'static str, content: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(content.into()));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn refusal(status: StatusCode, reason: &str) -> Answer {
    let mut answer = text("text/plain; charset=utf-8", reason.to_owned());
    *answer.status_mut() = status;
    answer
}
