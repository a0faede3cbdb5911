//! Connections are given up in time, and without losing anything.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod wire;

use std::time::Duration;

use martello_balancer::{Body, EndpointConfig, ErrorKind, HttpEndpoint, ServerConfig, Stage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::ServiceExt;
use wire::{Client, Front, Replica, Reply, status, until};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const SOON: Duration = Duration::from_millis(50);

fn get() -> http::Request<Body> {
    http::Request::get("/").body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_with_it() {
    let replica = Replica::start(Reply::Silence).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    client.send(GET).await;
    replica.asked(1).await;
    drop(client);
    replica.closed(1).await;
    until(|| front.stats.counts().active == 0).await;
}

#[tokio::test]
async fn slow_clients_are_given_up() {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let server = ServerConfig {
        head_timeout: SOON,
        body_pause: SOON,
        idle_timeout: 4 * SOON,
        ..ServerConfig::default()
    };
    let front = Front::with(replica.address, server, EndpointConfig::default()).await;
    let cases = [
        ("GET / HTTP/1.1\r\nHost:", Some(408)),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", Some(408)),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nab", Some(408)),
        ("", None),
    ];
    for (sent, expected) in cases {
        let mut client = Client::connect(front.address).await;
        client.send(sent).await;
        let (answer, clean) = client.rest().await;
        assert!(clean);
        assert_eq!((!answer.is_empty()).then(|| status(&answer)), expected, "{sent:?}");
    }
}

#[tokio::test]
async fn a_client_that_takes_its_time_is_no_failure_of_the_replica() {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let endpoint = EndpointConfig { progress_timeout: 10 * SOON, ..EndpointConfig::default() };
    let front = Front::with(replica.address, ServerConfig::default(), endpoint).await;
    let mut client = Client::connect(front.address).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n").await;
    // Together longer than a replica may take, without a byte that goes on to it.
    for part in ["1;", "x"] {
        tokio::time::sleep(6 * SOON).await;
        client.send(part).await;
    }
    assert_eq!(status(&client.ask("\r\nb\r\n0\r\n\r\n").await), 200);
}

#[tokio::test]
async fn a_head_that_trickles_does_not_buy_time() {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let server = ServerConfig { head_timeout: 4 * SOON, ..ServerConfig::default() };
    let front = Front::with(replica.address, server, EndpointConfig::default()).await;
    let mut client = Client::connect(front.address).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n").await;
    let (mut reader, mut writer) = client.stream.split();
    let mut steady = tokio::time::interval(SOON / 2);
    let trickle = async {
        while writer.write_all(b"x: y\r\n").await.is_ok() {
            steady.tick().await;
        }
    };
    let mut answer = String::new();
    tokio::select! {
        () = trickle => panic!("the answer comes before the reset"),
        read = reader.read_to_string(&mut answer) => { read.unwrap(); }
    }
    assert_eq!(status(&answer), 408);
}

#[tokio::test]
async fn unused_connections_to_a_replica_are_closed_in_time() {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let config = EndpointConfig { idle_timeout: SOON, ..EndpointConfig::default() };
    let endpoint = HttpEndpoint::new(replica.address, config);
    endpoint.clone().oneshot(get()).await.unwrap();
    replica.closed(1).await;
    endpoint.oneshot(get()).await.unwrap();
    assert_eq!(replica.connections(), 2);
}

#[tokio::test]
async fn no_more_unused_connections_are_kept_than_allowed() {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let config = EndpointConfig { max_idle: 1, ..EndpointConfig::default() };
    let endpoint = HttpEndpoint::new(replica.address, config);
    let (one, other) = tokio::join!(endpoint.clone().oneshot(get()), endpoint.clone().oneshot(get()));
    assert!(one.is_ok() && other.is_ok());
    replica.closed(1).await;
    endpoint.oneshot(get()).await.unwrap();
    assert_eq!(replica.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_the_replica_closed_is_not_used_again() {
    let replica = Replica::start(Reply::AnswerAndClose(OK)).await;
    let endpoint = HttpEndpoint::new(replica.address, EndpointConfig::default());
    for count in 1..=5 {
        let answered = endpoint.clone().oneshot(get()).await;
        // Whoever waits for the close sees it; whoever asks at once may be told honestly how far it came.
        match answered {
            Ok(response) => assert_eq!(response.status(), 200),
            Err(error) => {
                assert_eq!((error.kind(), error.stage()), (ErrorKind::StaleConnection, Stage::Sent))
            }
        }
        until(|| replica.connections() <= count).await;
    }
}

#[tokio::test]
async fn an_error_says_how_far_the_request_had_come() {
    // Nobody listens: nothing was sent.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let endpoint = HttpEndpoint::new(address, EndpointConfig::default());
    let close_without_answer = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
    };
    let (error, ()) = tokio::join!(endpoint.clone().oneshot(get()), close_without_answer);
    let error = error.unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::UpstreamReset, Stage::Sent));

    let close_in_the_middle = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le").await.unwrap();
    };
    let (error, ()) = tokio::join!(endpoint.clone().oneshot(get()), close_in_the_middle);
    let error = error.unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::UpstreamReset, Stage::ResponseStarted));

    drop(listener);
    let error = endpoint.oneshot(get()).await.unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Connect, Stage::NothingSent));
    assert!(error.is_retryable());
}

#[tokio::test]
async fn shutting_down_answers_what_is_under_way_and_says_close() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut front = Front::start(listener.local_addr().unwrap()).await;
    let mut busy = Client::connect(front.address).await;
    busy.send(GET).await;
    let (mut replica, _) = listener.accept().await.unwrap();
    let mut idle = Client::connect(front.address).await;
    until(|| front.stats.counts().active == 2).await;
    front.shut_down();
    // A request that comes on an idle connection after the signal is still answered.
    idle.send(GET).await;
    let (mut other, _) = listener.accept().await.unwrap();
    for stream in [&mut replica, &mut other] {
        stream.write_all(OK).await.unwrap();
    }
    for client in [&mut busy, &mut idle] {
        let (answer, clean) = client.rest().await;
        assert!(clean && answer.contains("\r\nconnection: close\r\n"), "{answer:?}");
    }
    front.ended().await;
    assert_eq!(front.stats.counts().active, 0);
}

#[tokio::test]
async fn shutting_down_answers_what_has_come_though_nobody_has_looked() {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let server = ServerConfig { drain_notice: Duration::ZERO, ..ServerConfig::default() };
    let mut front = Front::with(replica.address, server, EndpointConfig::default()).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = Client::connect(front.address).await;
        assert_eq!(status(&client.ask(GET).await), 200);
        clients.push(client);
    }
    // All in one step of this test, which shares its thread with the server.
    for client in &clients {
        assert_eq!(client.stream.try_write(GET.as_bytes()).unwrap(), GET.len());
    }
    front.shut_down();
    for mut client in clients {
        let answer = client.answer().await.unwrap();
        assert_eq!(status(&answer), 200);
        assert!(answer.contains("connection: close"), "{answer}");
    }
    front.ended().await;
}

#[tokio::test]
async fn shutting_down_closes_what_is_idle_and_cuts_off_what_never_ends() {
    let replica = Replica::start(Reply::Silence).await;
    let server = ServerConfig { drain_notice: SOON, drain_grace: SOON, ..ServerConfig::default() };
    let mut front = Front::with(replica.address, server, EndpointConfig::default()).await;
    let mut idle = Client::connect(front.address).await;
    let mut busy = Client::connect(front.address).await;
    busy.send(GET).await;
    replica.asked(1).await;
    until(|| front.stats.counts().active == 2).await;
    front.shut_down();
    assert_eq!(idle.rest().await, (String::new(), true));
    front.ended().await;
    assert_eq!(busy.rest().await.0, "");
}

#[tokio::test]
async fn connections_past_the_limit_wait_for_their_turn() {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let server = ServerConfig { max_connections: 1, ..ServerConfig::default() };
    let front = Front::with(replica.address, server, EndpointConfig::default()).await;
    let mut first = Client::connect(front.address).await;
    assert_eq!(status(&first.ask(GET).await), 200);
    let mut second = Client::connect(front.address).await;
    second.send(GET).await;
    assert_eq!(status(&first.ask(GET).await), 200);
    assert_eq!(front.stats.counts().accepted, 1);
    drop(first);
    assert_eq!(status(&second.answer().await.unwrap()), 200);
}

/// A client that takes nothing of its answer is cut off, and nothing of the answer is left behind in the kernel.
#[tokio::test]
async fn a_client_that_does_not_read_is_reset() {
    let answer = [b"HTTP/1.1 200 OK\r\ncontent-length: 33554432\r\n\r\n", &vec![b'a'; 32 << 20][..]].concat();
    let replica = Replica::start(Reply::Answer(answer.leak())).await;
    let server = ServerConfig { write_pause: Duration::from_millis(200), ..ServerConfig::default() };
    let front = Front::with(replica.address, server, EndpointConfig::default()).await;
    let mut client = Client::connect(front.address).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until(|| front.stats.counts().accepted == 1).await;
    until(|| front.stats.counts().active == 0).await;
    let (got, clean) = client.rest().await;
    assert!(!clean && got.len() < 32 << 20, "{} bytes", got.len());
}
