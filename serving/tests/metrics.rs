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
            r#"martello_requests_total{model="s\"um",version="7",dialect="predict",code="200"} 2"#,
            r#"martello_requests_total{model="s\"um",version="7",dialect="predict",code="422"} 1"#,
            r#"martello_requests_total{model="s\"um",version="7",dialect="invocations",code="200"} 1"#,
            r#"martello_requests_total{model="",version="",dialect="v2",code="404"} 1"#,
            r#"martello_requests_total{model="s\"um",version="7",dialect="v1",code="400"} 1"#,
            "# TYPE martello_request_duration_seconds histogram",
            r#"martello_request_duration_seconds_count{model="s\"um",version="7",dialect="predict"} 3"#,
            r#"martello_request_duration_seconds_bucket{model="s\"um",version="7",dialect="predict",le="+Inf"} 3"#,
            r#"martello_model_rows_total{model="s\"um",version="7"} 5"#,
            r#"martello_model_validation_errors_total{model="s\"um",version="7"} 2"#,
            r#"martello_requests_in_flight{model="s\"um",version="7"} 0"#,
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
            // What the version before did is still told, once and not as of the one in service.
            r#"martello_model_rows_total{model="s\"um",version="7"} 5"#,
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
        &[
            r#"martello_requests_shed_total{model="model",version="",dialect="v1"} 1"#,
            r#"martello_requests_total{model="model",version="",dialect="v1",code="503"} 1"#,
        ],
    )
    .await;
}

#[tokio::test]
async fn a_version_that_comes_back_counts_on_and_only_the_one_in_service_has_an_age() {
    let slot = Slot::empty();
    let replica = Running::start(Replica::builder().slot(slot.clone())).await;
    for version in [1, 2, 1] {
        slot.put(ServedModel::new("sum", Sum::of_three()).with_version(version));
        replica.ask(post("/predict", GOOD)).await;
    }
    check(
        &replica,
        &[
            r#"martello_model_rows_total{model="sum",version="1"} 2"#,
            r#"martello_model_rows_total{model="sum",version="2"} 1"#,
        ],
    )
    .await;
    let text = replica.ask(get("/metrics")).await;
    let aged = |line: &&str| line.starts_with("martello_model_age_seconds{");
    let ages: Vec<_> = text.text().lines().filter(aged).collect();
    assert!(matches!(ages[..], [age] if age.contains(r#"version="1""#)), "{ages:?}");
    // However many versions come and go, the list does not grow for ever.
    for version in 3..100 {
        slot.put(ServedModel::new("sum", Sum::of_three()).with_version(version));
    }
    let text = replica.ask(get("/metrics")).await;
    let counted = text.text().lines().filter(|line| line.starts_with("martello_model_rows_total{")).count();
    assert_eq!(counted, 16);
}
