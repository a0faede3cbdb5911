//! A request that two recipients could understand differently reaches no replica.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "wire/bad_requests.rs"]
mod bad_requests;
mod wire;

use bad_requests::{CHUNKS, HEADS};
use wire::{Client, Front, Replica, Reply, status};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn each_rule_has_its_status_and_ends_the_connection() {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let front = Front::start(replica.address).await;
    for (request, expected, section) in HEADS {
        let mut client = Client::connect(front.address).await;
        // What follows must not be taken for a request of its own.
        client.send([request, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"].concat()).await;
        let (answer, clean) = client.rest().await;
        let shown = request.escape_debug();
        assert_eq!(status(&answer), *expected, "{section}: {shown}");
        assert!(clean, "{section}: the answer must not be lost in a reset: {shown}");
        assert_eq!(
            answer.matches("\r\ncontent-length: ").count(),
            1,
            "{section}: one answer, then the end: {shown}"
        );
        assert!(answer.contains("\r\nconnection: close\r\n"), "{section}: {shown}");
        assert!(answer.contains("\"reason\":\""), "{section}: it says why: {shown}");
    }
    assert_eq!(replica.requests(), [""; 0], "nothing of them reaches a replica");
}

#[tokio::test]
async fn a_broken_chunk_or_trailer_is_a_400_and_no_whole_request_is_passed_on() {
    const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let replica = Replica::start(Reply::Answer(OK)).await;
    let front = Front::start(replica.address).await;
    for (chunks, rule) in CHUNKS {
        // At once; and behind a good part that has reached the replica already.
        for begun in ["", "3\r\nabc\r\n"] {
            let mut client = Client::connect(front.address).await;
            client.send([HEAD, begun].concat()).await;
            if !begun.is_empty() {
                tokio::task::yield_now().await;
            }
            client.send([chunks, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"].concat()).await;
            let (answer, clean) = client.rest().await;
            let shown = chunks.escape_debug();
            assert_eq!((status(&answer), clean), (400, true), "RFC 9112 {rule}: {shown}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "RFC 9112 {rule}: {shown}");
        }
    }
    assert_eq!(replica.requests(), [""; 0]);
}

#[tokio::test]
async fn chunks_and_trailers_past_a_limit_are_refused() {
    const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let replica = Replica::start(Reply::Answer(OK)).await;
    let front = Front::start(replica.address).await;
    let cases = [
        (format!("1;{}", "a".repeat(300)), 400, "RFC 9112 7.1.1: extensions are limited"),
        ("0".repeat(300), 400, "RFC 9112 7.1"),
        (format!("0\r\nX: {}", "a".repeat(9_000)), 400, "RFC 9112 7.1.2"),
        (format!("0\r\n{}\r\n", "x: y\r\n".repeat(129)), 431, "RFC 6585 5"),
    ];
    for (chunks, expected, section) in cases {
        let mut client = Client::connect(front.address).await;
        client.send([HEAD, &chunks].concat()).await;
        let (answer, clean) = client.rest().await;
        assert_eq!((status(&answer), clean), (expected, true), "{section}");
    }
    assert_eq!(replica.requests(), [""; 0]);
}

#[tokio::test]
async fn heads_past_a_limit_are_refused_before_they_end() {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let front = Front::start(replica.address).await;
    let long = "a".repeat(40_000);
    let many = "x: y\r\n".repeat(101);
    let cases = [
        (format!("GET /{long}"), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nx: {long}"), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{long}: x"), 431),
        (format!("{long} / HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        (format!("GET http://{long}/ HTTP/1.1\r\nHost: {long}\r\n\r\n"), 414),
    ];
    for (request, expected) in cases {
        let mut client = Client::connect(front.address).await;
        client.send(request).await;
        let (answer, clean) = client.rest().await;
        assert_eq!((status(&answer), clean), (expected, true));
    }
    assert_eq!(replica.requests(), [""; 0]);
}

#[tokio::test]
async fn a_body_that_grows_past_the_limit_is_a_413() {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "a".repeat(1 << 20));
    for _ in 0..11 {
        client.send(&chunk).await;
    }
    let (answer, clean) = client.rest().await;
    assert_eq!((status(&answer), clean), (413, true));
    assert_eq!(replica.requests(), [""; 0], "no whole request was passed on");
}

#[tokio::test]
async fn a_client_that_sends_its_too_large_body_at_once_still_reads_why() {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n").await;
    for _ in 0..20 {
        client.send(vec![b'a'; 1_000_000]).await;
    }
    let (answer, clean) = client.rest().await;
    assert_eq!((status(&answer), clean), (413, true));
}

/// What the strictness must not break: forms that RFC 9112 allows.
#[tokio::test]
async fn unusual_but_valid_requests_pass() {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let front = Front::start(replica.address).await;
    let cases = [
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1"),
        ("GET http://A:80/x?y HTTP/1.1\r\nHost: a:80\r\n\r\n", "GET /x?y HTTP/1.1"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1"),
        ("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1"),
        ("BREW /pot HTTP/1.1\r\nHost:\ta \t\r\nX:\r\n\r\n", "BREW /pot HTTP/1.1"),
        (
            "GET //x/../y%00?a[]={b|c} HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
            "GET //x/../y%00?a[]={b|c} HTTP/1.1",
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", "POST / HTTP/1.1"),
        ("GET / HTTP/1.1\r\nHost: a\r\nTE: gzip;q=1, deflate\r\nConnection: te\r\n\r\n", "GET / HTTP/1.1"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\t 0001 \t\r\n\r\nx", "POST / HTTP/1.1"),
        ("HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "HEAD / HTTP/1.1"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:chunked\t\r\n\r\n001 \t;a=\"b;\u{e9}\"\r\nx\r\n00\r\n\r\n",
            "POST / HTTP/1.1",
        ),
        ("GET / HTTP/1.1\r\nHost: a.:080\r\n\r\n", "GET / HTTP/1.1"),
        ("GET https://a HTTP/1.0\r\n\r\n", "GET / HTTP/1.1"),
        ("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", "POST / HTTP/1.1"),
    ];
    for (request, expected) in cases {
        let mut client = Client::connect(front.address).await;
        assert_eq!(status(&client.ask(request).await), 200, "{}", request.escape_debug());
        assert_eq!(replica.requests().pop().unwrap().lines().next(), Some(expected));
    }
}
