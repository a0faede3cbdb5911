//! A replica that is told to stop answers what it has begun and then goes.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use std::time::Duration;

use fixture::{GOOD, GOOD_ANSWER, Running, Sum, get, post};
use martello_serving::{Limits, Replica};

/// Long enough never to be the reason why a test ends.
const LONG: Duration = Duration::from_secs(600);

async fn lingering(drain_linger: Duration) -> Running {
    Running::with_limits(Limits { drain_linger, ..Limits::default() }).await
}

#[tokio::test]
async fn a_request_in_flight_is_answered() {
    let mut replica = lingering(Duration::ZERO).await;
    let request = post("/predict", GOOD);
    let (first, second) = request.split_at(request.len() - 5);
    let mut client = replica.connect().await;
    client.send(get("/health")).await;
    assert_eq!(client.answer().await.unwrap().status, 200);
    client.send(first).await;
    // A request on another connection has gone all the way, so the first half of ours was read.
    replica.ask(get("/health")).await;

    replica.begin_shutdown();
    wait_until_refused(&replica).await;
    client.send(second).await;
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.status, answer.text()), (200, GOOD_ANSWER));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(client.is_closed().await);
    replica.drained().await;
}

#[tokio::test]
async fn a_kept_connection_gets_one_more_answer_that_says_close() {
    let mut replica = lingering(LONG).await;
    let mut client = replica.connect().await;
    client.send(post("/predict", GOOD)).await;
    assert_eq!(client.answer().await.unwrap().header("connection"), None);

    replica.begin_shutdown();
    wait_until_refused(&replica).await;
    client.send(get("/health")).await;
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.status, answer.text()), (503, r#"{"status":"draining","model_loaded":true}"#));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(client.is_closed().await);
    replica.drained().await;
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let mut replica = lingering(Duration::ZERO).await;
    let mut client = replica.connect().await;
    client.send(get("/health")).await;
    client.answer().await.unwrap();
    replica.begin_shutdown();
    assert!(client.is_closed().await);
    // The client keeps its end: it owes nothing, so nobody waits for it.
    replica.drained().await;
    drop(client);
}

#[tokio::test]
async fn a_request_that_waits_in_the_kernels_queue_is_answered() {
    // One connection at a time: the second one stays in the queue until the drain.
    let limits = Limits { connections: 1, drain_linger: LONG, ..Limits::default() };
    let mut replica = Running::with_limits(limits).await;
    let mut first = replica.connect().await;
    first.send(get("/health")).await;
    first.answer().await.unwrap();
    let mut second = replica.connect().await;
    second.send(post("/predict", GOOD)).await;

    replica.begin_shutdown();
    let answer = second.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    drop(first);
    drop(second);
    replica.drained().await;
}

#[tokio::test]
async fn the_grace_period_ends_what_does_not_end_by_itself() {
    let limits =
        Limits { drain_linger: Duration::ZERO, drain_grace: Duration::from_millis(50), ..Limits::default() };
    let mut replica = Running::with_limits(limits).await;
    let mut client = replica.connect().await;
    client.send("POST /predict HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\n{").await;
    replica.ask(get("/health")).await;
    replica.begin_shutdown();
    replica.drained().await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_taken_port_is_a_clear_error() {
    let running = Running::start(Replica::builder().model(Sum::of_three())).await;
    let error = Replica::builder().listen(running.address).bind().await.unwrap_err();
    assert_eq!(error.kind(), martello_serving::ErrorKind::Bind);
    assert!(
        error.to_string().starts_with(&format!("cannot listen on {}: the port is taken", running.address)),
        "{error}"
    );
}

/// Waits until the address takes no new connections, which is when every connection has heard of the drain.
async fn wait_until_refused(replica: &Running) {
    let refused = async { while tokio::net::TcpStream::connect(replica.address).await.is_ok() {} };
    tokio::time::timeout(fixture::PATIENCE, refused).await.expect("the listener closes");
}
