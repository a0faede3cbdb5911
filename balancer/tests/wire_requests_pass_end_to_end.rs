//! A valid request reaches the replica as it was meant, and its answer the client.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod wire;

use wire::{Client, Front, Replica, Reply, body, status};

const PREDICTION: &[u8] = b"HTTP/1.1 200 OK\r\ndate: then\r\ncontent-type: application/json\r\ncontent-length: 20\r\nkeep-alive: timeout=5\r\nconnection: x-hop\r\nx-hop: 1\r\nx-end: 2\r\n\r\n{\"prediction\":321.3}";

const POST: &str = "POST /predict?v=1 HTTP/1.1\r\nHost: models.example:8000\r\nContent-Type: application/json\r\nContent-Length: 16\r\nConnection: keep-alive, x-secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n{\"feature1\":5.3}";

#[tokio::test]
async fn a_post_is_passed_on_by_the_rules_of_a_proxy() {
    let replica = Replica::start(Reply::Answer(PREDICTION)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    let answer = client.ask(POST).await;
    assert_eq!(
        answer,
        "HTTP/1.1 200 OK\r\ndate: then\r\ncontent-type: application/json\r\nx-end: 2\r\ncontent-length: 20\r\n\r\n{\"prediction\":321.3}"
    );
    let requests = replica.requests();
    let [request] = &requests[..] else { panic!("one request, not {requests:?}") };
    let mut lines: Vec<_> = request.split("\r\n").collect();
    assert_eq!(lines.remove(0), "POST /predict?v=1 HTTP/1.1");
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "",
            "content-length: 16",
            "content-type: application/json",
            "host: models.example:8000",
            "x-forwarded-for: 203.0.113.9, 127.0.0.1",
            "x-forwarded-proto: http",
            "x-real-ip: 127.0.0.1",
            "{\"feature1\":5.3}",
        ]
    );
}

#[tokio::test]
async fn connections_are_kept_alive_on_both_sides() {
    let replica = Replica::start(Reply::Answer(PREDICTION)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    for _ in 0..5 {
        assert_eq!(status(&client.ask(POST).await), 200);
    }
    assert_eq!(replica.connections(), 1);
    let counts = front.stats.counts();
    assert_eq!((counts.accepted, counts.handled, counts.requests, counts.active), (1, 1, 5, 1));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let replica = Replica::start(Reply::Answer(PREDICTION)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    let get = |path: u32| format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let many: String = (0..20).map(get).collect();
    client.send(many + &POST.replace("/predict", "/20") + &get(21)).await;
    for _ in 0..22 {
        assert_eq!(status(&client.answer().await.expect("each is answered")), 200);
    }
    let asked = replica.requests();
    for (at, request) in asked.iter().enumerate() {
        assert_eq!(request.split([' ', '?']).nth(1), Some(&*format!("/{at}")));
    }
    assert_eq!(body(&asked[20]), "{\"feature1\":5.3}");
}

#[tokio::test]
async fn a_request_that_comes_byte_by_byte_is_the_same_request() {
    let replica = Replica::start(Reply::Answer(PREDICTION)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    let whole = client.ask(POST).await;
    for byte in POST.as_bytes() {
        client.send([*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.answer().await, Some(whole));
    let requests = replica.requests();
    assert_eq!(requests[0], requests[1]);
}

#[tokio::test]
async fn http_1_0_clients_are_spoken_to_in_their_terms() {
    let replica = Replica::start(Reply::Answer(PREDICTION)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    let answer = client.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
    assert!(answer.contains("\r\nconnection: keep-alive\r\n"), "{answer}");
    let answer = client.ask("GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(client.rest().await, (String::new(), true));
    let host = format!("\r\nhost: {}\r\n", replica.address);
    assert!(replica.requests().iter().all(|request| request.contains(&host)), "HTTP/1.1 needs a host");
}

#[tokio::test]
async fn a_client_that_asks_for_the_end_gets_it() {
    let replica = Replica::start(Reply::Answer(PREDICTION)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n").await;
    let (answer, clean) = client.rest().await;
    assert!(clean && answer.contains("\r\nconnection: close\r\n"), "{answer}");
}
