//! Large bodies flow through in both directions without being collected.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod wire;

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wire::{Client, Front, Replica, Reply, body, read_head, status};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Bytes that would show a piece lost, repeated or out of order.
fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| b'a' + (at % 23) as u8).collect()
}

/// A replica whose one connection the test plays by hand.
async fn by_hand() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn read_exactly(stream: &mut TcpStream, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn large_bodies_arrive_whole() {
    for size in [64 * 1024, 64 * 1024 + 1, 1 << 20, 10 << 20] {
        let replica = Replica::start(Reply::Answer(OK)).await;
        let front = Front::start(replica.address).await;
        let mut client = Client::connect(front.address).await;
        let sent = content(size);
        for _ in 0..2 {
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n");
            let answer = client.ask([head.as_bytes(), &sent].concat()).await;
            assert_eq!(status(&answer), 200);
        }
        let requests = replica.requests();
        assert!(requests.iter().all(|request| body(request).as_bytes() == sent), "{size} bytes");
        assert_eq!(replica.connections(), 1, "both connections live on");
    }
}

#[tokio::test]
async fn a_body_reaches_the_replica_while_it_is_being_sent() {
    let (listener, address) = by_hand().await;
    let front = Front::start(address).await;
    let mut client = Client::connect(front.address).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
    let (mut replica, _) = listener.accept().await.unwrap();
    assert!(read_head(&mut replica).await.contains("\r\ntransfer-encoding: chunked\r\n"));
    assert_eq!(read_exactly(&mut replica, 8).await, b"3\r\nabc\r\n");
    client.send("2\r\nde\r\n").await;
    assert_eq!(read_exactly(&mut replica, 7).await, b"2\r\nde\r\n");
    client.send("0\r\nX-Sum: 5\r\nContent-Length: 9\r\n\r\n").await;
    assert_eq!(read_exactly(&mut replica, 15).await, b"0\r\nx-sum: 5\r\n\r\n", "trailers are passed on");
    replica.write_all(OK).await.unwrap();
    assert_eq!(status(&client.answer().await.unwrap()), 200);
    assert_eq!(
        status(&{
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            read_head(&mut replica).await;
            replica.write_all(OK).await.unwrap();
            client.answer().await.unwrap()
        }),
        200,
        "both connections are good for more"
    );
}

#[tokio::test]
async fn an_answer_reaches_the_client_while_it_is_being_made() {
    let (listener, address) = by_hand().await;
    let front = Front::start(address).await;
    let mut client = Client::connect(front.address).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te\r\n\r\n").await;
    let (mut replica, _) = listener.accept().await.unwrap();
    let head = read_head(&mut replica).await;
    assert!(head.contains("\r\nte: trailers\r\n") && head.contains("\r\nconnection: te\r\n"), "{head}");
    replica.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    assert!(read_head(&mut client.stream).await.contains("\r\ntransfer-encoding: chunked\r\n"));
    for (sent, received) in [
        ("3;x=y\r\nabc\r\n", "3\r\nabc\r\n"),
        ("001\r\nd\r\n", "1\r\nd\r\n"),
        ("0\r\nX-Sum: 4\r\n\r\n", "0\r\nx-sum: 4\r\n\r\n"),
    ] {
        replica.write_all(sent.as_bytes()).await.unwrap();
        assert_eq!(read_exactly(&mut client.stream, received.len()).await, received.as_bytes());
    }
}

#[tokio::test]
async fn both_directions_flow_at_once() {
    let (listener, address) = by_hand().await;
    let front = Front::start(address).await;
    let mut client = Client::connect(front.address).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let (mut replica, _) = listener.accept().await.unwrap();
    read_head(&mut replica).await;
    replica.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    read_head(&mut client.stream).await;
    for _ in 0..3 {
        client.send("4\r\nping\r\n").await;
        assert_eq!(read_exactly(&mut replica, 9).await, b"4\r\nping\r\n");
        replica.write_all(b"4\r\npong\r\n").await.unwrap();
        assert_eq!(read_exactly(&mut client.stream, 9).await, b"4\r\npong\r\n");
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(read_exactly(&mut replica, 5).await, b"0\r\n\r\n");
    replica.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(read_exactly(&mut client.stream, 5).await, b"0\r\n\r\n");
}

#[tokio::test]
async fn a_large_answer_does_not_collect_before_a_slow_client() {
    let (listener, address) = by_hand().await;
    let front = Front::start(address).await;
    let mut client = Client::connect(front.address).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (mut replica, _) = listener.accept().await.unwrap();
    read_head(&mut replica).await;
    let size = 64 << 20;
    replica.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").as_bytes()).await.unwrap();
    // The client does not read. What the replica can get rid of is what fits into the kernel's buffers.
    let chunk = content(1 << 20);
    let mut taken = 0;
    let mut idle = 0;
    while idle < 1_000 {
        match replica.try_write(&chunk) {
            Ok(count) => (taken, idle) = (taken + count, 0),
            Err(_) => idle += 1,
        }
        tokio::task::yield_now().await;
    }
    assert!(taken < size / 2, "{taken} bytes were taken in for a client that reads none");
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_gets_it_when_somebody_wants_the_body() {
    for (framing, first, rest) in [
        ("Content-Length: 5", "hello", ""),
        ("Content-Length: 100000", "", "large"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n", ""),
    ] {
        let replica = Replica::start(Reply::Answer(OK)).await;
        let front = Front::start(replica.address).await;
        let mut client = Client::connect(front.address).await;
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n{framing}\r\n\r\n")).await;
        assert_eq!(read_head(&mut client.stream).await, "HTTP/1.1 100 Continue\r\n\r\n", "{framing}");
        client.send(if rest.is_empty() { first.into() } else { content(100_000) }).await;
        let answer = client.answer().await.unwrap();
        assert_eq!(status(&answer), 200, "{framing}");
        assert!(!answer.contains("connection: close"), "the whole body was read: {answer}");
        assert!(!replica.requests()[0].contains("expect"), "it concerns one hop");
    }
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_spared_a_body_that_nobody_wants() {
    let gone = by_hand().await.1;
    let front = Front::start(gone).await;
    let mut client = Client::connect(front.address).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n").await;
    let (answer, clean) = client.rest().await;
    assert!(clean && status(&answer) == 502, "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "the body may or may not follow: {answer}");
}

#[tokio::test]
async fn an_answer_that_comes_before_the_whole_request_is_not_lost() {
    let (listener, address) = by_hand().await;
    let front = Front::start(address).await;
    let mut client = Client::connect(front.address).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n").await;
    let (mut replica, _) = listener.accept().await.unwrap();
    read_head(&mut replica).await;
    replica
        .write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        .await
        .unwrap();
    drop(replica);
    let sending = content(4_000_000);
    // The client goes on sending what nobody reads, and still gets its answer.
    let _ = client.stream.write_all(&sending).await;
    let (answer, clean) = client.rest().await;
    assert!(clean, "{answer}");
    assert_eq!((status(&answer), body(&answer)), (403, "no"));
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_body_is_no_request() {
    let (listener, address) = by_hand().await;
    let front = Front::start(address).await;
    let mut client = Client::connect(front.address).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
    let (mut replica, _) = listener.accept().await.unwrap();
    read_head(&mut replica).await;
    drop(client);
    let mut rest = Vec::new();
    let _ = replica.read_to_end(&mut rest).await;
    assert_eq!(rest, b"3\r\nabc\r\n", "a last chunk would make the half a whole");
}

/// Also when all of it came in one piece, whose length is known.
#[tokio::test]
async fn trailers_of_a_small_answer_are_passed_on() {
    let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n";
    let replica = Replica::start(Reply::Answer(answer)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let (answer, clean) = client.rest().await;
    assert_eq!((body(&answer), clean), ("3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n", true));
}

// RFC 9112 section 7.1.2: a trailer section needs no content before it.
#[tokio::test]
async fn trailers_arrive_without_content_before_them() {
    let bare = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 10\r\n\r\n";
    let replica = Replica::start(Reply::Answer(bare)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    for _ in 0..2 {
        client
            .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 20\r\n\r\n")
            .await;
        assert_eq!(body(&client.answer().await.unwrap()), "0\r\nx-sum: 10\r\n\r\n");
    }
    assert!(replica.requests().iter().all(|request| body(request) == "0\r\nx-sum: 20\r\n\r\n"));
    assert_eq!(replica.connections(), 1);
}
