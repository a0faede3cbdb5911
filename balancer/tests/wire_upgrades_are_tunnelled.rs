//! Where a replica agrees to go on in another protocol, bytes pass both ways (RFC 9110 section 7.8).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "wire/tunnel.rs"]
mod tunnel;
mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use martello_balancer::{
    AccessLog, AccessLogFormat, Balancer, EndpointConfig, ServerConfig, Status, StatusPaths, TryTimeout,
    Upgrades,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tunnel::{AGREE, ASK, expect, expect_end};
use wire::{Client, Front, PATIENCE, Replica, Reply, body, read_head, status, until};

const AGREE_AND_GREET: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
const SOON: Duration = Duration::from_millis(100);

fn on() -> ServerConfig {
    ServerConfig { upgrades: Upgrades::On, ..ServerConfig::default() }
}

async fn front(replica: SocketAddr) -> Front {
    Front::with(replica, on(), EndpointConfig::default()).await
}

async fn by_hand(server: ServerConfig) -> (TcpListener, Front) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, Front::with(address, server, EndpointConfig::default()).await)
}

/// A tunnel through a front: the front, the client's end and the replica's.
async fn tunnel(server: ServerConfig) -> (Front, TcpStream, TcpStream) {
    let (listener, front) = by_hand(server).await;
    let mut client = Client::connect(front.address).await.stream;
    client.write_all(ASK.as_bytes()).await.unwrap();
    let (mut replica, _) = listener.accept().await.unwrap();
    read_head(&mut replica).await;
    replica.write_all(AGREE).await.unwrap();
    assert!(read_head(&mut client).await.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
    (front, client, replica)
}

#[tokio::test]
async fn bytes_pass_both_ways_after_the_replicas_101() {
    let (listener, front) = by_hand(on()).await;
    let mut client = Client::connect(front.address).await.stream;
    client.write_all(ASK.as_bytes()).await.unwrap();
    let (mut replica, _) = listener.accept().await.unwrap();
    let asked = read_head(&mut replica).await;
    assert_eq!(asked.matches("connection: upgrade\r\nupgrade: websocket\r\n").count(), 1, "{asked}");
    assert!(asked.contains("sec-websocket-key: k\r\n") && !asked.contains("keep-alive"), "{asked}");
    replica.write_all(AGREE).await.unwrap();
    let agreed = read_head(&mut client).await;
    assert_eq!(agreed.matches("connection: upgrade\r\nupgrade: websocket\r\n").count(), 1, "{agreed}");
    assert!(agreed.contains("sec-websocket-accept: v\r\n") && !agreed.contains("close"), "{agreed}");
    assert!(!agreed.contains("content-length") && !agreed.contains("transfer-encoding"), "{agreed}");
    let large: Vec<u8> = (0..1_000_000).map(|at| (at % 251) as u8).collect();
    for message in [&b"ping"[..], b"GET / HTTP/1.1\r\n\r\n", &large] {
        let (mut from, mut to) = client.split();
        let echo = async {
            let mut bytes = vec![0; message.len()];
            replica.read_exact(&mut bytes).await.unwrap();
            replica.write_all(&bytes).await.unwrap();
        };
        let mut back = vec![0; message.len()];
        let (sent, read, ()) = tokio::join!(to.write_all(message), from.read_exact(&mut back), echo);
        sent.unwrap();
        read.unwrap();
        assert!(back == message);
    }
}

#[tokio::test]
async fn either_side_may_end_first_and_still_listen() {
    for client_first in [true, false] {
        let (front, mut client, mut replica) = tunnel(on()).await;
        let (first, second) =
            if client_first { (&mut client, &mut replica) } else { (&mut replica, &mut client) };
        first.write_all(b"last words").await.unwrap();
        first.shutdown().await.unwrap();
        expect(second, b"last words").await;
        expect_end(second).await;
        for _ in 0..3 {
            second.write_all(b"answer").await.unwrap();
            expect(first, b"answer").await;
        }
        second.shutdown().await.unwrap();
        expect_end(first).await;
        until(|| front.stats.counts().active == 0).await;
    }
}

/// What came behind the two heads, in the same packets.
#[tokio::test]
async fn bytes_that_come_early_belong_to_the_tunnel() {
    let (listener, front) = by_hand(on()).await;
    let mut client = Client::connect(front.address).await.stream;
    let early = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(format!("{ASK}{early}").as_bytes()).await.unwrap();
    let (mut replica, _) = listener.accept().await.unwrap();
    assert!(read_head(&mut replica).await.starts_with("GET /chat "));
    replica.write_all(&[AGREE, b"hello"].concat()).await.unwrap();
    read_head(&mut client).await;
    expect(&mut client, b"hello").await;
    expect(&mut replica, early.as_bytes()).await;
    assert_eq!(front.stats.counts().requests, 1);
}

#[tokio::test]
async fn a_replica_that_does_not_agree_answers_as_ever() {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let front = front(replica.address).await;
    let mut client = Client::connect(front.address).await;
    for _ in 0..3 {
        let answer = client.ask(ASK).await;
        assert_eq!((status(&answer), body(&answer)), (200, "a"));
        assert!(!answer.contains("upgrade") && !answer.contains("connection"), "{answer}");
    }
    assert_eq!((replica.connections(), replica.requests().len()), (1, 3), "all connections live on");
}

/// Bytes in another protocol must not be read as requests, if the replica then does not speak it.
#[tokio::test]
async fn bytes_that_came_early_in_vain_are_no_request() {
    let (listener, front) = by_hand(on()).await;
    let mut client = Client::connect(front.address).await;
    client.send(format!("{ASK}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    let (mut replica, _) = listener.accept().await.unwrap();
    read_head(&mut replica).await;
    replica.write_all(OK).await.unwrap();
    let (answer, _) = client.rest().await;
    assert!(answer.contains("\r\nconnection: close\r\n") && answer.ends_with("\r\n\r\na"), "{answer}");
    let mut byte = [0];
    assert!(replica.try_read(&mut byte).is_err(), "nothing more was asked");
    assert_eq!(front.stats.counts().requests, 1);
}

// RFC 9110 section 15.2.2, and 7.8: a server switches to nothing that it was not asked for.
#[tokio::test]
async fn a_101_that_was_not_asked_for_is_a_502() {
    let plain = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let cases = [
        (plain, AGREE, "no wish"),
        ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", AGREE, "a wish that is none"),
        (ASK, b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", "another protocol"),
        (ASK, b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n", "one more"),
        (ASK, b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n", "it does not say which"),
        (ASK, b"HTTP/1.0 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.0"),
    ];
    for (request, answer, why) in cases {
        let replica = Replica::start(Reply::Answer(answer)).await;
        let front = front(replica.address).await;
        let mut client = Client::connect(front.address).await;
        for count in 1..=2 {
            let refusal = client.ask(request).await;
            assert_eq!(status(&refusal), 502, "{why}");
            assert!(body(&refusal).contains("upstream-protocol"), "{refusal}");
            replica.closed(count).await;
        }
    }
}

/// Requests with which a client would get past the rules of the proxy, or that nobody may upgrade.
#[tokio::test]
async fn some_wishes_end_here() {
    let with = |fields: &str| format!("Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\n{fields}");
    let get = |fields: &str| format!("GET / HTTP/1.1\r\n{}\r\n", with(fields));
    let cases = [
        get("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
        get("Upgrade: H2C, HTTP/2.0\r\n"),
        get("Upgrade: TLS/1.2\r\n"),
        format!("GET / HTTP/1.0\r\n{}\r\n", with("Upgrade: websocket\r\n")),
        format!("POST / HTTP/1.1\r\n{}Content-Length: 1\r\n\r\nx", with("Upgrade: websocket\r\n")),
        format!(
            "POST / HTTP/1.1\r\n{}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            with("Upgrade: websocket\r\n")
        ),
    ];
    for request in cases {
        let replica = Replica::start(Reply::Answer(OK)).await;
        let front = front(replica.address).await;
        let answer = Client::connect(front.address).await.ask(&request).await;
        assert_eq!(status(&answer), 200);
        let asked = &replica.requests()[0];
        assert!(!asked.contains("upgrade") && !asked.contains("http2-settings"), "{request} {asked}");
    }
    let replica = Replica::start(Reply::Answer(OK)).await;
    let front = front(replica.address).await;
    Client::connect(front.address).await.ask(get("Upgrade: h2c, websocket\r\n")).await;
    assert!(
        replica.requests()[0].contains("\r\nupgrade: websocket\r\n"),
        "the rest of the wish is passed on"
    );
}

#[tokio::test]
async fn nothing_is_upgraded_unless_that_is_turned_on() {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let front = Front::start(replica.address).await;
    assert_eq!(status(&Client::connect(front.address).await.ask(ASK).await), 200);
    assert!(!replica.requests()[0].contains("upgrade"), "{:?}", replica.requests());
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_moves_is_given_up() {
    let (front, mut client, mut replica) = tunnel(ServerConfig { tunnel_idle: SOON, ..on() }).await;
    // What moves keeps it, for longer than the limit in all.
    for _ in 0..6 {
        tokio::time::sleep(SOON / 4).await;
        client.write_all(b"x").await.unwrap();
        expect(&mut replica, b"x").await;
    }
    expect_end(&mut client).await;
    expect_end(&mut replica).await;
    until(|| front.stats.counts().active == 0).await;
}

#[tokio::test]
async fn a_client_that_vanishes_takes_the_tunnel_with_it() {
    let (front, client, mut replica) = tunnel(on()).await;
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, replica.read_to_end(&mut rest)).await.expect("it ends");
    until(|| front.stats.counts().active == 0).await;
}

#[tokio::test]
async fn a_replica_that_vanishes_is_no_clean_end() {
    let (front, mut client, replica) = tunnel(on()).await;
    socket2::SockRef::from(&replica).set_linger(Some(Duration::ZERO)).unwrap();
    drop(replica);
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, client.read_to_end(&mut rest)).await.expect("it ends");
    assert!(read.is_err(), "the client can tell that words are missing");
    until(|| front.stats.counts().active == 0).await;
}

#[tokio::test]
async fn shutting_down_grants_a_tunnel_its_grace_and_no_more() {
    let server = ServerConfig { drain_notice: SOON, drain_grace: 5 * SOON, ..on() };
    let (mut front, mut client, mut replica) = tunnel(server.clone()).await;
    front.shut_down();
    tokio::time::sleep(2 * SOON).await;
    client.write_all(b"bye").await.unwrap();
    expect(&mut replica, b"bye").await;
    client.shutdown().await.unwrap();
    expect_end(&mut replica).await;
    drop(replica);
    expect_end(&mut client).await;
    front.ended().await;

    let (mut front, mut client, mut replica) = tunnel(server).await;
    front.shut_down();
    front.ended().await;
    expect_end(&mut client).await;
    expect_end(&mut replica).await;
}

struct Running {
    address: SocketAddr,
    status: Status,
}

async fn balancer(replica: SocketAddr, log: Option<AccessLog>) -> Running {
    let builder = Balancer::builder().listen("127.0.0.1:0").upstream(replica).server(on());
    let builder = builder.status_paths(StatusPaths::none()).try_timeout(TryTimeout::NEVER);
    let builder = match log {
        Some(log) => builder.access_log(log),
        None => builder,
    };
    let balancer = builder.bind().await.unwrap();
    let (address, status) = (balancer.local_addr(), balancer.status());
    tokio::spawn(balancer.serve(std::future::pending()));
    Running { address, status }
}

#[tokio::test]
async fn a_tunnel_counts_as_a_request_in_flight_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    for log in [None, Some(AccessLog::to_file(&path, AccessLogFormat::Json))] {
        let is_logged = log.is_some();
        let replica = Replica::start(Reply::AnswerThenClose(AGREE_AND_GREET)).await;
        let running = balancer(replica.address, log).await;
        let name = replica.address.to_string();
        let in_flight = || {
            let snapshot = running.status.snapshot();
            (
                snapshot.endpoint(&name).unwrap().in_flight,
                snapshot.admission.map_or(0, |counts| counts.in_flight),
            )
        };
        let mut client = Client::connect(running.address).await.stream;
        client.write_all(ASK.as_bytes()).await.unwrap();
        assert!(read_head(&mut client).await.starts_with("HTTP/1.1 101 "));
        expect(&mut client, b"hello").await;
        assert_eq!(in_flight(), (1, 1));
        assert!(!is_logged || std::fs::read_to_string(&path).unwrap().is_empty(), "it goes on");
        replica.close_all();
        expect_end(&mut client).await;
        drop(client);
        until(|| in_flight() == (0, 0)).await;
        if is_logged {
            until(|| std::fs::read_to_string(&path).unwrap().ends_with('\n')).await;
            let line = std::fs::read_to_string(&path).unwrap();
            assert!(line.contains("\"status\":101") && line.contains("\"bytes\":5,"), "{line}");
        }
    }
}

/// A GET may be asked twice, but not one that may have begun something else.
#[tokio::test]
async fn a_wish_that_was_sent_is_not_sent_again() {
    let replicas =
        [Replica::start(Reply::AnswerAndClose(b"")).await, Replica::start(Reply::AnswerAndClose(b"")).await];
    let builder = Balancer::builder().listen("127.0.0.1:0").server(on());
    let balancer = builder.upstreams(replicas.iter().map(|replica| replica.address)).bind().await.unwrap();
    let mut client = Client::connect(balancer.local_addr()).await;
    tokio::spawn(balancer.serve(std::future::pending()));
    let asked = || replicas.iter().map(|replica| replica.requests().len()).sum::<usize>();
    assert_eq!(status(&client.ask(ASK).await), 502);
    assert_eq!(asked(), 1);
}
