//! What a replica says before its answer reaches the client before the answer (RFC 9110 section 15.2).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod wire;

use std::time::Duration;

use martello_balancer::{Balancer, EndpointConfig, ServerConfig, TryTimeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wire::{Client, Front, Replica, Reply, body, read_head, status};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
const HINT: &str = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n";

async fn by_hand() -> (TcpListener, Front) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = Front::start(listener.local_addr().unwrap()).await;
    (listener, front)
}

// RFC 8297 section 2: a hint is worth something before the answer only.
#[tokio::test]
async fn a_hint_reaches_the_client_before_the_answer_is_there() {
    let (listener, front) = by_hand().await;
    let mut client = Client::connect(front.address).await;
    client.send(GET).await;
    let (mut replica, _) = listener.accept().await.unwrap();
    for _ in 0..2 {
        read_head(&mut replica).await;
        for _ in 0..3 {
            replica.write_all(HINT.as_bytes()).await.unwrap();
            let hint = read_head(&mut client.stream).await;
            assert!(
                hint.starts_with("HTTP/1.1 103 ") && hint.ends_with("\r\nlink: </style.css>\r\n\r\n"),
                "{hint}"
            );
        }
        replica.write_all(OK).await.unwrap();
        assert_eq!(body(&client.answer().await.unwrap()), "a");
        client.send(GET).await;
    }
}

#[tokio::test]
async fn a_balancer_passes_hints_on_from_fields_that_it_leaves_as_they_came() {
    let hint = b"HTTP/1.1 103 \r\nLink: a\r\nLink: b\r\nKeep-Alive: 5\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    let replica = Replica::start(Reply::Answer(hint)).await;
    let balancer = Balancer::builder().listen("127.0.0.1:0").upstream(replica.address).bind().await.unwrap();
    let mut client = Client::connect(balancer.local_addr()).await;
    tokio::spawn(balancer.serve(std::future::pending()));
    for _ in 0..2 {
        client.send(GET).await;
        let hint = read_head(&mut client.stream).await;
        assert!(
            hint.starts_with("HTTP/1.1 103 ") && hint.ends_with("\r\nlink: a\r\nlink: b\r\n\r\n"),
            "{hint}"
        );
        assert_eq!(hint.lines().count(), 4, "{hint}");
        assert!(read_head(&mut client.stream).await.starts_with("HTTP/1.1 200 "));
        assert_eq!(client.stream.read_u8().await.unwrap(), b'a');
    }
}

// RFC 9110 section 7.6.1, for these answers as for any other.
#[tokio::test]
async fn what_concerns_one_hop_is_taken_out_of_a_hint() {
    let hint = b"HTTP/1.1 103 Early Hints\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nUpgrade: a\r\nX-Kept: 2\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    let replica = Replica::start(Reply::Answer(hint)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    for _ in 0..2 {
        let hint = client.ask(GET).await;
        assert!(hint.starts_with("HTTP/1.1 103 ") && hint.ends_with("\r\nx-kept: 2\r\n\r\n"), "{hint}");
        assert_eq!(hint.lines().count(), 3, "{hint}");
        assert_eq!(body(&client.answer().await.unwrap()), "a");
    }
    assert_eq!(replica.connections(), 1, "a hint does not close it");
}

#[tokio::test]
async fn others_than_100_are_passed_on() {
    let answers = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 199 X\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    let replica = Replica::start(Reply::Answer(answers)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    client.send(GET).await;
    for expected in [102, 199, 200] {
        assert_eq!(status(&client.answer().await.unwrap()), expected);
    }
}

// RFC 9110 section 15.2: a server must not send them to an HTTP/1.0 client.
#[tokio::test]
async fn an_http_1_0_client_is_told_nothing_but_the_answer() {
    let answers = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    let replica = Replica::start(Reply::Answer(answers)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    let answer = client.ask("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!((status(&answer), body(&answer)), (200, "a"));
}

#[tokio::test]
async fn an_endless_row_of_hints_is_an_error() {
    let flood =
        "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(17) + "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    let replica = Replica::start(Reply::AnswerAndClose(flood.leak().as_bytes())).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    client.send(GET).await;
    let mut hints = 0;
    let last = loop {
        match client.answer().await.expect("there is an answer") {
            answer if status(&answer) == 103 => hints += 1,
            answer => break answer,
        }
    };
    assert!(hints <= 16, "{hints}");
    assert_eq!(status(&last), 502);
    assert!(body(&last).contains("upstream-protocol"), "{last}");
}

// RFC 9110 section 10.1.1: the client's expectation is met here, and a hint does not stand for it.
#[tokio::test]
async fn a_hint_and_a_100_continue_do_not_mix() {
    let (listener, front) = by_hand().await;
    let mut client = Client::connect(front.address).await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
        .await;
    let (mut replica, _) = listener.accept().await.unwrap();
    read_head(&mut replica).await;
    assert_eq!(read_head(&mut client.stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    replica.write_all(HINT.as_bytes()).await.unwrap();
    assert_eq!(status(&read_head(&mut client.stream).await), 103);
    client.send("1\r\nx\r\n0\r\n\r\n").await;
    let mut content = [0; 11];
    replica.read_exact(&mut content).await.unwrap();
    replica.write_all(OK).await.unwrap();
    assert_eq!(body(&client.answer().await.unwrap()), "a");
}

#[tokio::test]
async fn a_client_that_reads_no_hints_is_answered_when_it_does() {
    let large = format!("HTTP/1.1 103 Early Hints\r\nlink: {}\r\n\r\n", "x".repeat(60_000));
    let all = large.repeat(16) + "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    let replica = Replica::start(Reply::Answer(all.leak().as_bytes())).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    client.send(GET).await;
    replica.asked(1).await;
    let mut hints = 0;
    let last = loop {
        match client.answer().await.unwrap() {
            answer if status(&answer) == 103 => hints += 1,
            answer => break answer,
        }
    };
    assert!((1..=16).contains(&hints), "{hints}");
    assert_eq!((status(&last), body(&last)), (200, "a"));
}

/// Each attempt may have its own hints; the answer is one.
#[tokio::test]
async fn a_request_that_is_tried_elsewhere_is_answered_once() {
    let failing = b"HTTP/1.1 103 Early Hints\r\nLink: one\r\n\r\nHTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n";
    let sound = b"HTTP/1.1 103 Early Hints\r\nLink: two\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    let replicas = [Replica::start(Reply::Answer(failing)).await, Replica::start(Reply::Answer(sound)).await];
    let builder = Balancer::builder().listen("127.0.0.1:0").try_timeout(TryTimeout::NEVER);
    let builder = builder.upstreams(replicas.iter().map(|replica| replica.address));
    let balancer = builder.bind().await.unwrap();
    let mut client = Client::connect(balancer.local_addr()).await;
    tokio::spawn(balancer.serve(std::future::pending()));
    let mut links = Vec::new();
    for _ in 0..2 {
        client.send(GET).await;
        loop {
            let answer = client.answer().await.unwrap();
            if status(&answer) != 103 {
                assert_eq!((status(&answer), body(&answer)), (200, "a"));
                break;
            }
            links.push(if answer.contains("one") { 1 } else { 2 });
        }
        assert_eq!(links.last(), Some(&2), "the last hint is that of who answers");
    }
    assert_eq!(links.iter().filter(|link| **link == 1).count(), 1, "one attempt failed: {links:?}");
}

#[tokio::test]
async fn hints_do_not_keep_a_silent_replica_waited_for() {
    let replica = Replica::start(Reply::Answer(HINT.as_bytes())).await;
    let endpoint =
        EndpointConfig { progress_timeout: Duration::from_millis(50), ..EndpointConfig::default() };
    let front = Front::with(replica.address, ServerConfig::default(), endpoint).await;
    let mut client = Client::connect(front.address).await;
    assert_eq!(status(&client.ask(GET).await), 103);
    assert_eq!(status(&client.answer().await.unwrap()), 504);
}
