//! An answer that two recipients could understand differently reaches no client, and its connection no other request.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "wire/bad_answers.rs"]
mod bad_answers;
mod wire;

use std::time::Duration;

use bad_answers::BROKEN;
use http_body_util::BodyExt;
use martello_balancer::{
    Balance, Body, EndpointConfig, EndpointState, Http, HttpEndpoint, ServerConfig, policy::RoundRobin,
};
use tower::ServiceExt;
use wire::{Client, Front, Replica, Reply, body, status};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn a_broken_answer_is_a_502_and_its_connection_is_not_used_again() {
    for (answer, section) in BROKEN {
        let replica = Replica::start(Reply::Answer(answer)).await;
        let front = Front::start(replica.address).await;
        let mut client = Client::connect(front.address).await;
        for _ in 0..2 {
            let refusal = client.ask(GET).await;
            assert_eq!(status(&refusal), 502, "{section}: {}", answer.escape_ascii());
            assert!(body(&refusal).ends_with("\"reason\":\"upstream-protocol\"}"), "{refusal}");
        }
        replica.closed(2).await;
        assert_eq!(replica.connections(), 2, "{section}: {}", answer.escape_ascii());
    }
}

/// Content where there is none (RFC 9112 section 6.3): it is not passed on, nor taken for the next answer, even where it
/// looks like one.
#[tokio::test]
async fn content_that_cannot_be_is_dropped_with_its_connection() {
    const SECOND: &[u8] = b"HTTP/1.1 418 Smuggled\r\nContent-Length: 0\r\n\r\n";
    let cases: [(&str, &[u8], u16, &str); 8] = [
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, "RFC 9110 15.3.5"),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 48\r\n\r\n", 204, "RFC 9110 8.6"),
        ("GET", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n30\r\n", 204, "RFC 9112 6.1"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 48\r\n\r\n", 304, "RFC 9110 15.4.5"),
        ("GET", b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", 205, "RFC 9110 15.3.6"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "RFC 9112 6.3"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 48\r\n\r\n", 200, "RFC 9110 9.3.2"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n30\r\n", 200, "RFC 9110 9.3.2"),
    ];
    for (method, head, expected, section) in cases {
        let replica = Replica::start(Reply::Answer([head, SECOND].concat().leak())).await;
        let front = Front::start(replica.address).await;
        let mut client = Client::connect(front.address).await;
        let ask = |last: &str| format!("{method} / HTTP/1.1\r\nHost: a\r\n{last}\r\n");
        client.send([ask(""), ask(""), ask("Connection: close\r\n")].concat()).await;
        let (answers, clean) = client.rest().await;
        let heads: Vec<_> = answers.split_terminator("\r\n\r\n").map(status).collect();
        assert_eq!((heads, clean), (vec![expected; 3], true), "{section}: {answers}");
        assert!(!answers.contains("Smuggled"), "{section}: {answers}");
        assert_eq!(replica.connections(), 3, "{section}");
    }
}

/// What declares content for a status that has none may send it a moment later: its connection is not used again.
#[tokio::test]
async fn content_that_is_announced_for_a_204_is_not_waited_for() {
    for field in ["Content-Length: 3", "Transfer-Encoding: chunked"] {
        let answer = format!("HTTP/1.1 204 No Content\r\n{field}\r\n\r\n");
        let replica = Replica::start(Reply::Answer(answer.into_bytes().leak())).await;
        let front = Front::start(replica.address).await;
        let mut client = Client::connect(front.address).await;
        client.send([GET, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"].concat()).await;
        let plain = "HTTP/1.1 204 No Content\r\n\r\n";
        let last = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
        assert_eq!(client.rest().await, ([plain, last].concat(), true), "{field}");
        assert_eq!(replica.connections(), 2, "{field}");
    }
}

/// RFC 9112 section 5.1: a proxy removes blanks before a colon from answers; section 4: the reason says nothing.
#[tokio::test]
async fn what_is_odd_and_clear_is_passed_on_in_the_usual_form() {
    let odd = b"HTTP/1.0 200 \xe9t\xe9\r\nContent-Length\t : 0001 \t\r\nX \t:a\r\nX_Y:\t b\r\nConnection: keep-alive\r\n\r\nx";
    let replica = Replica::start(Reply::Answer(odd)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    for _ in 0..2 {
        let answer = client.ask(GET).await;
        assert_eq!(answer, "HTTP/1.1 200 OK\r\nx: a\r\nx_y: b\r\ncontent-length: 1\r\n\r\nx");
    }
    assert_eq!(replica.connections(), 1);
}

#[tokio::test]
async fn answers_past_a_limit_are_a_502() {
    let cases = [
        format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(70_000)),
        format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101)),
        format!("HTTP/1.1 200 {}\r\n\r\n", "a".repeat(70_000)),
        "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(17),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;{}\r\n", "a".repeat(300)),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: {}", "a".repeat(9_000)),
    ];
    for answer in cases {
        let replica = Replica::start(Reply::Answer(answer.into_bytes().leak())).await;
        let front = Front::start(replica.address).await;
        let mut client = Client::connect(front.address).await;
        let mut refusal = client.ask(GET).await;
        while status(&refusal) == 103 {
            refusal = client.answer().await.unwrap();
        }
        assert_eq!(status(&refusal), 502, "{refusal}");
        replica.closed(1).await;
    }
}

#[tokio::test]
async fn the_clients_connection_outlives_the_replicas() {
    let replica =
        Replica::start(Reply::AnswerAndClose(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc")).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    for _ in 0..3 {
        client.send(GET).await;
        let answer = client.answer().await.unwrap();
        assert!(answer.contains("transfer-encoding: chunked"), "its length is not known: {answer}");
        assert!(body(&answer).contains("abc"));
    }
    assert_eq!(replica.connections(), 3);
}

#[tokio::test]
async fn bytes_behind_an_answer_end_the_use_of_its_connection() {
    let two = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb";
    let replica = Replica::start(Reply::Answer(two)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    for _ in 0..3 {
        assert_eq!(body(&client.ask(GET).await), "a", "the second answer answers nothing");
    }
    assert_eq!(replica.connections(), 3);
}

#[tokio::test]
async fn interim_answers_are_not_the_answer() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    let replica = Replica::start(Reply::Answer(interim)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    for _ in 0..2 {
        assert_eq!(status(&client.ask(GET).await), 103);
        let answer = client.answer().await.unwrap();
        assert_eq!((status(&answer), body(&answer)), (200, "a"));
    }
    assert_eq!(replica.connections(), 1);
}

#[tokio::test]
async fn a_head_asks_for_no_body_and_gets_none() {
    let replica = Replica::start(Reply::Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    }
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let (answers, clean) = client.rest().await;
    let plain = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\nconnection: close\r\n\r\n";
    assert_eq!((answers, clean), ([plain, plain, last].concat(), true));
    assert_eq!(replica.connections(), 1);
}

#[tokio::test]
async fn statuses_without_content_have_none() {
    for (answer, expected) in [
        (&b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n"[..], "HTTP/1.1 204 No Content\r\nx: y\r\n\r\n"),
        (
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
        ),
    ] {
        let replica = Replica::start(Reply::Answer(answer)).await;
        let front = Front::start(replica.address).await;
        let mut client = Client::connect(front.address).await;
        let read = async {
            use tokio::io::AsyncReadExt;
            client.send(GET).await;
            let mut bytes = vec![0; expected.len()];
            client.stream.read_exact(&mut bytes).await.unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(read.await, expected);
    }
}

#[tokio::test]
async fn a_truncated_answer_never_ends_cleanly() {
    let cases: [(&[u8], &str); 3] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc", "by its length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "by its last chunk"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "in a chunk"),
    ];
    for (answer, how) in cases {
        let replica = Replica::start(Reply::AnswerThenClose(answer)).await;
        let front = Front::start(replica.address).await;
        let mut client = Client::connect(front.address).await;
        client.send(GET).await;
        until_some_came(&mut client).await;
        replica.close_all();
        let (got, _) = client.rest().await;
        assert_eq!(status(&got), 200, "{how}: {got}");
        assert!(!got.ends_with("\r\n0\r\n\r\n"), "{how}: {got}");
        assert!(body(&got).len() < 100, "{how}: {got}");
    }
}

/// An HTTP/1.0 client would take the end of the connection for the end of the body.
#[tokio::test]
async fn a_truncated_answer_is_a_reset_where_nothing_else_tells() {
    let part = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    let replica = Replica::start(Reply::AnswerThenClose(part)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    client.send("GET / HTTP/1.0\r\n\r\n").await;
    until_some_came(&mut client).await;
    replica.close_all();
    let (_, clean) = client.rest().await;
    assert!(!clean);
}

/// As long as nothing of an answer was passed on, the client can be told what happened.
#[tokio::test]
async fn an_answer_that_breaks_off_before_it_was_passed_on_is_a_502() {
    let part = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc";
    let replica = Replica::start(Reply::AnswerAndClose(part)).await;
    let front = Front::start(replica.address).await;
    for _ in 0..20 {
        let mut client = Client::connect(front.address).await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        let (got, clean) = client.rest().await;
        assert!(clean && (status(&got) == 502 || got.ends_with("\r\n\r\nabc")), "{got}");
    }
}

async fn until_some_came(client: &mut Client) {
    let mut byte = [0];
    assert_eq!(client.stream.peek(&mut byte).await.unwrap(), 1);
}

#[tokio::test]
async fn a_small_answer_that_breaks_off_is_a_502() {
    let replica =
        Replica::start(Reply::AnswerAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    let answer = client.ask(GET).await;
    assert_eq!(status(&answer), 502);
    assert!(body(&answer).contains("upstream-reset"), "{answer}");
}

#[tokio::test]
async fn a_replica_that_says_nothing_is_a_504() {
    let replica = Replica::start(Reply::Silence).await;
    let endpoint =
        EndpointConfig { progress_timeout: Duration::from_millis(50), ..EndpointConfig::default() };
    let front = Front::with(replica.address, ServerConfig::default(), endpoint).await;
    let mut client = Client::connect(front.address).await;
    assert_eq!(status(&client.ask(GET).await), 504);
    replica.closed(1).await;
}

#[tokio::test]
async fn a_replica_that_is_not_there_is_a_502() {
    let gone = Replica::start(Reply::Silence).await.address;
    let front = Front::start(gone).await;
    tokio::task::yield_now().await;
    let mut client = Client::connect(front.address).await;
    let answer = client.ask(GET).await;
    assert_eq!(status(&answer), 502);
}

#[tokio::test]
async fn a_replica_whose_answers_break_off_is_ejected() {
    let cut = Reply::AnswerAndClose(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab");
    let whole = Reply::Answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
    let replicas = [Replica::start(whole).await, Replica::start(cut).await];
    let endpoint = |replica: &Replica| HttpEndpoint::new(replica.address, EndpointConfig::default());
    let named = ["whole", "cut"].into_iter().zip(replicas.iter().map(endpoint));
    let balance = Balance::builder().protocol(Http::default()).build(RoundRobin, named);
    let mut broken = 0;
    for _ in 0..40 {
        let request = http::Request::post("/").header("host", "a").body(Body::empty()).unwrap();
        let answer = balance.clone().oneshot(request).await.unwrap();
        broken += u64::from(answer.into_body().collect().await.is_err());
    }
    let snapshot = balance.snapshot();
    let cut = snapshot.endpoint("cut").unwrap();
    assert_eq!((cut.state, cut.failures), (EndpointState::Ejected, broken));
    // Five in a row, and the one whose beginning showed the fifth.
    assert_eq!(broken, 6);
}
