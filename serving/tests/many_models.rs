//! One replica serves several models, each by its name, version and label.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use fixture::{GOOD, Running, Sum, get, post};
use martello_serving::{ListedModel, Models, Replica, Repository, ServedModel, Slot};
use serde_json::{Value, json};

fn served(name: &str, version: u32, plus: f64) -> Slot {
    Slot::holding(ServedModel::new(name, Sum::of_three_plus(plus)).with_version(version))
}

/// Two versions of `a`, one of them a champion, and `b`.
fn models() -> Models {
    Models::new(ListedModel::new(served("a", 1, 1.0)))
        .and(ListedModel::new(served("a", 2, 2.0)).named("a").labelled("champion"))
        .and(ListedModel::new(served("b", 1, 3.0)).named("b"))
}

async fn json(replica: &Running, request: String) -> (u16, Value) {
    let answer = replica.ask(request).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

#[tokio::test]
async fn each_model_answers_where_it_is_asked() {
    let replica = Running::start(Replica::builder().models(models())).await;
    let rows = format!(r#"{{"instances":[{GOOD}]}}"#);
    for (path, plus) in [
        ("/v1/models/a:predict", 1.0),
        ("/v1/models/a/versions/2:predict", 2.0),
        ("/v1/models/a/labels/champion:predict", 2.0),
        ("/v1/models/b:predict", 3.0),
        ("/invocations", 1.0),
    ] {
        let expected = json!({ "predictions": [8.200000000000001 + plus] });
        assert_eq!(json(&replica, post(path, &rows)).await, (200, expected), "{path}");
    }
    for path in
        ["/v1/models/c:predict", "/v1/models/a/versions/3:predict", "/v1/models/b/labels/champion:predict"]
    {
        let (status, body) = json(&replica, post(path, &rows)).await;
        assert!(status == 404 && body["error"].is_string(), "{path}: {status} {body}");
    }
    let (_, listed) = json(&replica, get("/v2/models")).await;
    assert_eq!(listed, json!({ "models": ["a", "a", "b"] }));
    let (_, metadata) = json(&replica, get("/v2/models/a/versions/2")).await;
    assert_eq!((&metadata["name"], &metadata["versions"]), (&json!("a"), &json!(["2"])));
    let (_, status) = json(&replica, get("/v1/models/b")).await;
    assert_eq!(status["model_version_status"][0]["state"], "AVAILABLE");
}

#[tokio::test]
async fn a_replica_is_ready_once_all_its_models_are() {
    let late = Slot::empty();
    let models = models().and(ListedModel::new(late.clone()).named("late"));
    let replica = Running::start(Replica::builder().models(models)).await;
    assert_eq!(json(&replica, get("/v2/health/ready")).await, (503, json!({ "ready": false })));
    assert_eq!(json(&replica, get("/v2/health/live")).await, (200, json!({ "live": true })));
    assert_eq!(json(&replica, get("/v2/models/late/ready")).await.0, 503);
    assert_eq!(json(&replica, get("/v2/models/a/ready")).await.0, 200);
    assert_eq!(
        json(&replica, post("/v2/models/late/infer", "{}")).await,
        (503, json!({ "error": "Model unavailable" }))
    );
    late.put(ServedModel::new("late", Sum::of_three()));
    assert_eq!(json(&replica, get("/v2/health/ready")).await, (200, json!({ "ready": true })));
}

#[tokio::test]
async fn a_model_is_unloaded_and_loaded_where_that_is_allowed() {
    let slot = served("a", 1, 0.0);
    let unload = || post("/v2/repository/models/a/unload", "{}");
    let read_only = Running::start(Replica::builder().slot(slot.clone())).await;
    assert_eq!(json(&read_only, unload()).await.0, 403);
    assert!(!slot.is_empty());

    let replica =
        Running::start(Replica::builder().slot(slot.clone()).repository(Repository::Controlled)).await;
    assert_eq!(json(&replica, unload()).await, (200, json!({})));
    let (_, index) = json(&replica, post("/v2/repository/index", "")).await;
    assert_eq!(index, json!([{ "name": "a", "version": "", "state": "UNAVAILABLE", "reason": "unloaded" }]));
    assert_eq!(json(&replica, post("/predict", GOOD)).await.0, 503);

    // A version that the registry brings meanwhile waits until it is wanted.
    slot.offer(ServedModel::new("a", Sum::of_three()).with_version(2));
    assert!(slot.is_empty());
    assert_eq!(json(&replica, post("/v2/repository/models/a/load", "")).await, (200, json!({})));
    assert_eq!(slot.load().unwrap().version(), Some(2));
    assert_eq!(json(&replica, post("/v2/repository/models/other/load", "")).await.0, 404);
}
