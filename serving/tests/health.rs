//! `/health` says whether a replica should get requests.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use fixture::{Running, Sum, get};
use martello_serving::{RefusedModel, Replica, ServedModel, Slot};

#[tokio::test]
async fn a_replica_is_ready_exactly_while_it_has_a_model() {
    let slot = Slot::empty();
    let replica = Running::start(Replica::builder().slot(slot.clone())).await;
    let mut client = replica.connect().await;
    let mut check = async |status, body: &str| {
        client.send(get("/health")).await;
        let answer = client.answer().await.unwrap();
        assert_eq!((answer.status, answer.text()), (status, body));
    };
    check(503, r#"{"status":"unavailable","model_loaded":false}"#).await;
    slot.put(ServedModel::new("sum", Sum::of_three()));
    check(200, r#"{"status":"ok","model_loaded":true}"#).await;
    slot.take();
    check(503, r#"{"status":"unavailable","model_loaded":false}"#).await;
}

#[tokio::test]
async fn a_refused_version_is_told_and_the_old_one_stays() {
    let slot = Slot::holding(ServedModel::new("sum", Sum::of_three()));
    slot.note_refused(RefusedModel { uri: "models:/sum/2".into(), reason: "bad \"checksum\"".into() });
    let replica = Running::start(Replica::builder().slot(slot.clone())).await;
    let answer = replica.ask(get("/health")).await;
    let told = r#"{"status":"ok","model_loaded":true,"refused":{"uri":"models:/sum/2","reason":"bad \"checksum\""}}"#;
    assert_eq!((answer.status, answer.text()), (200, told));

    slot.put(ServedModel::new("sum", Sum::of_three()));
    let answer = replica.ask(get("/health")).await;
    assert_eq!(answer.text(), r#"{"status":"ok","model_loaded":true}"#);
}
