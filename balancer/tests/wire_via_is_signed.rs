//! A proxy that has a name says through whom messages have come (RFC 9110 section 7.6.3).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod wire;

use martello_balancer::{Balancer, Via};
use wire::{Client, Replica, Reply, status};

async fn pass(via: Option<&str>, request: &str, answer: &'static [u8]) -> (String, String) {
    let replica = Replica::start(Reply::Answer(answer)).await;
    let mut builder = Balancer::builder().listen("127.0.0.1:0").upstream(replica.address);
    if let Some(via) = via {
        builder = builder.via(via.parse::<Via>().unwrap());
    }
    let balancer = builder.bind().await.unwrap();
    let mut client = Client::connect(balancer.local_addr()).await;
    tokio::spawn(balancer.serve(std::future::pending()));
    let answer = client.ask(request).await;
    (replica.requests().remove(0), answer)
}

fn vias(message: &str) -> Vec<&str> {
    message.lines().filter_map(|line| line.strip_prefix("via: ")).collect()
}

#[tokio::test]
async fn requests_and_answers_are_signed_where_there_is_a_name() {
    let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let signed = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nVia: 1.1 c\r\nVia: 2 d\r\n\r\n";
    let (now, old) = ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.0\r\n\r\n");
    let from_another = "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 a, 1.1 b\r\n\r\n";

    let (asked, answered) = pass(None, now, plain).await;
    assert!(vias(&asked).is_empty() && vias(&answered).is_empty(), "{asked} {answered}");
    let (asked, answered) = pass(Some("me"), now, plain).await;
    assert_eq!((vias(&asked), vias(&answered)), (vec!["1.1 me"], vec!["1.1 me"]));
    assert!(asked.contains("\r\nx-real-ip: 127.0.0.1\r\n") && asked.contains("Host: a"), "{asked}");
    let (asked, answered) = pass(Some("me"), old, signed).await;
    assert_eq!((vias(&asked), vias(&answered)), (vec!["1.0 me"], vec!["1.1 c", "2 d", "1.0 me"]));
    let (asked, _) = pass(Some("me"), from_another, plain).await;
    assert_eq!(vias(&asked), ["1.0 a, 1.1 b", "1.1 me"]);
}

#[tokio::test]
async fn interim_answers_are_signed_and_answers_of_the_balancer_itself_are_not() {
    let hint = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let (_, hint) = pass(Some("me"), "GET / HTTP/1.1\r\nHost: a\r\n\r\n", hint).await;
    assert_eq!((status(&hint), vias(&hint)), (103, vec!["1.1 me"]));

    let balancer = Balancer::builder().listen("127.0.0.1:0").via("me".parse().unwrap()).bind().await.unwrap();
    let mut client = Client::connect(balancer.local_addr()).await;
    tokio::spawn(balancer.serve(std::future::pending()));
    let refusal = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((status(&refusal), vias(&refusal).len()), (503, 0));
}
