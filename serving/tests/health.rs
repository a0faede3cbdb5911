//! `/health` says whether a replica should get requests.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use fixture::{Client, Running, Sum, get};
use martello_serving::{Limits, RefusedModel, Replica, ServedModel, Slot};

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
async fn alive_is_another_question_than_ready() {
    let slot = Slot::empty();
    let mut replica = Running::start(
        Replica::builder()
            .slot(slot.clone())
            .limits(Limits { drain_linger: fixture::PATIENCE, ..Limits::default() }),
    )
    .await;
    let (mut first, mut second) = (replica.connect().await, replica.connect().await);
    let check = async |client: &mut Client, path, status| {
        client.send(get(path)).await;
        assert_eq!(client.answer().await.unwrap().status, status, "{path}");
    };
    check(&mut first, "/health/live", 200).await;
    check(&mut second, "/health/ready", 503).await;
    slot.put(ServedModel::new("sum", Sum::of_three()));
    check(&mut second, "/health/ready", 200).await;

    replica.begin_shutdown();
    let refused = async { while tokio::net::TcpStream::connect(replica.address).await.is_ok() {} };
    tokio::time::timeout(fixture::PATIENCE, refused).await.expect("the listener closes");
    check(&mut first, "/health/live", 200).await;
    check(&mut second, "/health/ready", 503).await;
    replica.drained().await;
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
