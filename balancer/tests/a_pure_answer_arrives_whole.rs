//! An answer of a pure function that breaks off is asked for again, also one in chunks: nothing of it was passed on.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod replica;
mod wire;

use std::{net::SocketAddr, time::Duration};

use martello_balancer::{Balancer, EndpointConfig};
use replica::Running;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use wire::{Client, Front, Replica, Reply, body, read_head, status};

const POST: &str = "POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
const PURE: &str = "HTTP/1.1 200 OK\r\nmartello-pure: ?1\r\ntransfer-encoding: chunked\r\n\r\n";

async fn balancer(replicas: [SocketAddr; 2]) -> Running {
    Running::start_ready(Balancer::builder().assume_pure("/predict").upstreams(replicas)).await
}

#[tokio::test]
async fn one_that_breaks_off_is_asked_for_again() {
    for broken in [
        "HTTP/1.1 200 OK\r\nmartello-pure: ?1\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nmartello-pure: ?1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nmartello-pure: ?1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n",
        "HTTP/1.1 200 OK\r\nmartello-pure: ?1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nno chunk\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc",
    ] {
        let breaks = Replica::start(Reply::AnswerAndClose(broken.as_bytes())).await;
        let whole = Replica::start(Reply::Answer(b"HTTP/1.1 200 OK\r\nmartello-pure: ?1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")).await;
        let running = balancer([breaks.address, whole.address]).await;
        let mut client = Client::connect(running.address).await;
        for _ in 0..4 {
            let answer = client.ask(POST).await;
            assert_eq!((status(&answer), body(&answer)), (200, "abcdef"), "{broken:?}");
        }
        assert!(!breaks.requests().is_empty());
        running.stop().await;
    }
}

#[tokio::test]
async fn what_is_larger_than_is_held_streams() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = EndpointConfig { held_response: 8, ..EndpointConfig::default() };
    let front = Front::with(listener.local_addr().unwrap(), Default::default(), endpoint).await;
    let mut client = Client::connect(front.address).await;
    client.send(POST).await;
    let (mut at_replica, _) = listener.accept().await.unwrap();
    read_head(&mut at_replica).await;
    at_replica.write_all(format!("{PURE}5\r\nabcde\r\n").as_bytes()).await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(50), client.stream.read_u8()).await;
    assert!(nothing.is_err(), "it is held");
    at_replica.write_all(b"4\r\nfghi\r\n").await.unwrap();
    assert!(read_head(&mut client.stream).await.contains("\r\ntransfer-encoding: chunked\r\n"));
    let mut held = [0; 14];
    client.stream.read_exact(&mut held).await.unwrap();
    assert_eq!(&held, b"9\r\nabcdefghi\r\n");
    at_replica.write_all(b"1\r\nj\r\n0\r\n\r\n").await.unwrap();
    let mut rest = [0; 11];
    client.stream.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"1\r\nj\r\n0\r\n\r\n");
}

#[tokio::test]
async fn trailers_of_a_held_answer_are_passed_on() {
    let text = "HTTP/1.1 200 OK\r\nmartello-pure: ?1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n";
    let replica = Replica::start(Reply::AnswerAndClose(text.as_bytes())).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    client.send(POST.replace("Host: a", "Host: a\r\nConnection: close")).await;
    let (answer, _) = client.rest().await;
    assert!(answer.ends_with("\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"), "{answer:?}");
}
