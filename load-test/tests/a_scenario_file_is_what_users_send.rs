//! The requests of a scenario arrive at the server by weight, with their headers and drawn bodies.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use martello_load_test::{Plan, Scenario, ThinkTime};
use server::{Reply, Server};

mod server;

const SCENARIO: &str = r#"{
    "requests": [
        {
            "weight": 3, "path": "/predict", "headers": {"x-tenant": "north"},
            "json": {"kind": "a", "x": {"$integer": [1, 6]}},
            "check": {"body_contains": "prediction"}
        },
        {"weight": 1, "path": "/missing", "check": {"status": 404}}
    ]
}"#;

#[tokio::test]
async fn by_weight_with_headers_bodies_and_checks() {
    let bodies = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = Arc::clone(&bodies);
    let server = Server::start(move |request| {
        if request.text.starts_with("GET /missing HTTP/1.1\r\n") {
            return Reply::status("404 Not Found", "");
        }
        let (head, body) = request.text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /predict ") && head.contains("x-tenant: north\r\n"), "{head}");
        assert!(head.contains("content-type: application/json"), "{head}");
        seen.lock().unwrap().insert(body.to_owned());
        Reply::ok(r#"{"prediction":1}"#)
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.json");
    std::fs::write(&file, SCENARIO).unwrap();
    let plan = Plan::builder(&server.url)
        .scenario(Scenario::read(&file).unwrap())
        .users(20)
        .run_time(Duration::from_secs(1))
        .think_time(ThinkTime::constant(0.01));
    let report = plan.build().unwrap().run(|_| ()).await.unwrap();
    assert_eq!(report.failures(), 0, "{report}");
    let expected: BTreeSet<String> = (1..=6).map(|x| format!(r#"{{"kind":"a","x":{x}}}"#)).collect();
    assert_eq!(*bodies.lock().unwrap(), expected);
    let [predict, missing] = report.statistics().by_request() else { panic!("two requests: {report}") };
    let ratio = predict.requests() as f64 / missing.requests() as f64;
    assert!((2.4..3.8).contains(&ratio), "{ratio} with {} requests", report.requests());
}
