//! `/invocations` answers as MLflow's scoring server does: same body, same status, same JSON.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use fixture::{Running, Sum, get};
use martello_serving::Replica;
use serde_json::Value;

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("mlflow_cases.json")).unwrap()
}

async fn ask(replica: &Running, content_type: &str, body: &str) -> fixture::Answer {
    let length = body.len();
    let head = format!(
        "POST /invocations HTTP/1.1\r\nhost: test\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
    );
    replica.ask(head + body).await
}

#[tokio::test]
async fn every_recorded_request_is_answered_as_mlflow_did() {
    let replica = Running::start(Replica::builder().model(Sum::of_three())).await;
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        let answer = ask(&replica, case["type"].as_str().unwrap(), case["body"].as_str().unwrap()).await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status, case["status"], "{name}: {body}");
        if answer.status == 200 {
            assert_eq!(body, case["answer"], "{name}");
            continue;
        }
        let (message, kept) =
            (body["message"].as_str().unwrap(), case["message"].as_str().unwrap_or_default());
        assert!(message.starts_with(kept), "{name}: {message:?} does not start with {kept:?}");
        assert_eq!(body["error_code"], "BAD_REQUEST", "{name}");
    }
}

#[tokio::test]
async fn a_value_is_taken_as_it_is_or_refused() {
    let replica = Running::start(Replica::builder().model(Sum::of_three())).await;
    let header = "feature1,feature2,feature3";
    for (content_type, body, expected) in [
        ("text/csv", format!("{header}\n1,2,3,4\n"), "4 fields"),
        ("text/csv", format!("{header}\n1,inf,3\n"), "row 0, column \"feature2\""),
        (
            "application/json",
            r#"{"dataframe_records":[{"feature1":1,"feature2":1e400,"feature3":3},{"feature1":"x"}]}"#
                .to_owned(),
            "row 1, column \"feature3\"",
        ),
        (
            "application/json",
            r#"{"dataframe_records":[{"feature1":NaN,"feature2":1,"feature3":3}]}"#.to_owned(),
            "row 0, column \"feature1\"",
        ),
        ("application/json", "[".repeat(100_000), "nested too deep"),
    ] {
        let answer = ask(&replica, content_type, &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().replace('\\', "").contains(expected), "{expected}: {}", answer.text());
    }
    let answer = replica.ask("POST /invocations HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\n{}").await;
    assert_eq!(answer.status, 415, "{}", answer.text());
}

#[tokio::test]
async fn clients_find_what_they_ask_first() {
    let replica = Running::start(Replica::builder().model(Sum::of_three())).await;
    let answer = replica.ask(get("/ping")).await;
    assert_eq!((answer.status, answer.text()), (200, "\n"));
    let answer = replica.ask(get("/version")).await;
    assert_eq!((answer.status, answer.text()), (200, "3.17.2"));
    let empty = Running::start(Replica::builder()).await;
    assert_eq!(empty.ask(get("/ping")).await.status, 404);
    let answer = ask(&empty, "application/json", "{}").await;
    let told = r#"{"error_code":"TEMPORARILY_UNAVAILABLE","message":"Model unavailable"}"#;
    assert_eq!((answer.status, answer.text()), (503, told));
    assert_eq!(answer.header("martello-not-processed"), Some("no-model"));
}
