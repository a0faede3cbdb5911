//! `/metrics` counts what happened, in names that Prometheus' users expect.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use fixture::{GOOD, Running, Sum, get, post};
use martello_serving::{Limits, RefusedModel, Replica, ServedModel, Slot};

async fn check(replica: &Running, expected: &[&str]) {
    let answer = replica.ask(get("/metrics")).await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    for line in expected {
        assert!(text.lines().any(|told| told == *line), "{line:?} in {text}");
    }
}

#[tokio::test]
async fn what_happened_is_counted_by_dialect_status_and_model() {
    let slot = Slot::holding(ServedModel::new("s\"um", Sum::of_three()).with_version(7));
    let replica = Running::start(Replica::builder().slot(slot.clone())).await;
    let rows = format!("[{GOOD},{GOOD}]");
    for (path, body) in [
        ("/predict", GOOD),
        ("/predict", &rows),
        ("/predict", "{}"),
        ("/invocations", &format!(r#"{{"inputs":{rows}}}"#)),
        ("/v2/models/other/infer", "{}"),
        ("/v1/models/s%22um:predict", "{}"),
    ] {
        replica.ask(post(path, body)).await;
    }
    check(
        &replica,
        &[
            "# TYPE martello_requests_total counter",
            r#"martello_requests_total{dialect="predict",code="200"} 2"#,
            r#"martello_requests_total{dialect="predict",code="422"} 1"#,
            r#"martello_requests_total{dialect="invocations",code="200"} 1"#,
            r#"martello_requests_total{dialect="v2",code="404"} 1"#,
            r#"martello_requests_total{dialect="v1",code="400"} 1"#,
            r#"martello_request_duration_seconds_count{dialect="predict"} 3"#,
            r#"martello_request_duration_seconds_bucket{dialect="predict",le="+Inf"} 3"#,
            r#"martello_model_rows_total{model="s\"um",version="7"} 5"#,
            "martello_requests_in_flight 0",
            r#"martello_model_swaps_total{model="s\"um"} 1"#,
        ],
    )
    .await;

    slot.note_refused(RefusedModel { uri: "models:/sum/8".into(), reason: "broken".into() });
    slot.put(ServedModel::new("s\"um", Sum::of_three()).with_version(9));
    check(
        &replica,
        &[
            r#"martello_model_refusals_total{model="s\"um"} 1"#,
            r#"martello_model_swaps_total{model="s\"um"} 2"#,
            r#"martello_model_rows_total{model="s\"um",version="9"} 0"#,
        ],
    )
    .await;
}

#[tokio::test]
async fn a_shed_request_is_counted() {
    let limits = Limits { predictions_in_flight: 0, ..Limits::default() };
    let replica = Running::with_limits(limits).await;
    let answer = replica.ask(post("/v1/models/model:predict", "{}")).await;
    assert_eq!((answer.status, answer.text()), (503, r#"{"error":"Too many requests in flight"}"#));
    check(
        &replica,
        &["martello_requests_shed_total 1", r#"martello_requests_total{dialect="v1",code="503"} 1"#],
    )
    .await;
}
