//! What a server behind could take for another field is not passed on, unless that is asked for.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod wire;

use martello_balancer::{Balancer, EndpointConfig, ServerConfig, StatusPaths, Underscores};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use wire::{Client, Front, Replica, Reply, status};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// As CGI names them (RFC 3875 section 4.1.18): the variables that a replica of that kind reads.
fn variables(request: &str) -> Vec<(String, String)> {
    let head = request.split_once("\r\n\r\n").unwrap().0;
    let fields = head.lines().skip(1).map(|line| line.split_once(':').unwrap());
    fields
        .map(|(name, value)| (name.to_ascii_uppercase().replace('-', "_"), value.trim().to_owned()))
        .collect()
}

fn values<'a>(variables: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    variables.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

/// First, last, in between, next to each other, and more of them than are cut out of a head that stays as it came.
const HEADS: [&str; 5] = [
    "X_Forwarded_For: 6.6.6.6\r\nHost: a\r\nX-Kept: k_1\r\n",
    "Host: a\r\nX-Kept: k_1\r\nX_Forwarded_For: 6.6.6.6\r\n",
    "Host: a\r\nX_Forwarded_For: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\n_: 6.6.6.6\r\nX-Kept: k_1\r\n",
    "A_: 6.6.6.6\r\nB_: 6.6.6.6\r\nHost: a\r\nC_: 6.6.6.6\r\nX-Kept: k_1\r\nD_: 6.6.6.6\r\nE_: 6.6.6.6\r\n_F: 6.6.6.6\r\n",
    "Host: a\r\nX-Forwarded_For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Kept: k_1\r\n",
];

fn server(underscores: Underscores) -> ServerConfig {
    ServerConfig { underscores, ..ServerConfig::default() }
}

/// What arrives through a proxy that takes heads apart, and through a balancer that leaves them as they came.
async fn arrives(fields: &str, underscores: Underscores) -> [Vec<(String, String)>; 2] {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let front = Front::with(replica.address, server(underscores), EndpointConfig::default()).await;
    let builder = Balancer::builder().listen("127.0.0.1:0").upstream(replica.address);
    let builder = builder.status_paths(StatusPaths::none()).server(server(underscores));
    let balancer = builder.bind().await.unwrap();
    let address = balancer.local_addr();
    let (_stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(balancer.serve(async {
        let _ = stopped.await;
    }));
    for address in [front.address, address] {
        let request = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        assert_eq!(status(&Client::connect(address).await.ask(request).await), 200, "{fields:?}");
    }
    let asked = replica.requests();
    [variables(&asked[0]), variables(&asked[1])]
}

// RFC 9110 section 5.1 allows such names, and section 17.10 warns of what servers make of names.
#[tokio::test]
async fn a_field_with_an_underscore_says_nothing_to_a_replica() {
    for fields in HEADS {
        for arrived in arrives(fields, Underscores::default()).await {
            assert!(!arrived.iter().any(|(_, value)| value == "6.6.6.6"), "{fields:?} {arrived:?}");
            assert_eq!(values(&arrived, "X_KEPT"), ["k_1"], "{fields:?}");
            assert_eq!(values(&arrived, "HOST"), ["a"], "{fields:?}");
            assert_eq!(values(&arrived, "X_FORWARDED_FOR"), ["127.0.0.1"], "{fields:?}");
        }
    }
}

#[tokio::test]
async fn it_is_passed_on_where_that_is_asked_for() {
    for fields in &HEADS[..4] {
        for arrived in arrives(fields, Underscores::Pass).await {
            let passed = arrived.iter().filter(|(_, value)| value == "6.6.6.6").count();
            assert_eq!(passed, fields.matches("6.6.6.6").count(), "{fields:?} {arrived:?}");
        }
    }
}

// RFC 9112 section 6.3: it must not look like the framing that it is not either.
#[tokio::test]
async fn a_length_with_an_underscore_is_no_length() {
    let replica = Replica::start(Reply::Answer(OK)).await;
    let front = Front::start(replica.address).await;
    let mut client = Client::connect(front.address).await;
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 9\r\nTransfer_Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(status(&client.ask(request).await), 200);
    let arrived = variables(&replica.requests()[0]);
    assert_eq!(values(&arrived, "CONTENT_LENGTH"), ["2"]);
    assert!(values(&arrived, "TRANSFER_ENCODING").is_empty());
    assert_eq!(status(&client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await), 200);
}

/// Servers that put trailers among the fields would read them there.
#[tokio::test]
async fn trailers_are_treated_as_fields_are() {
    const REQUEST: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\
        X_Real_IP: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nx-sum: 7\r\n\r\n";
    for (underscores, expected) in [(Underscores::Drop, false), (Underscores::Pass, true)] {
        let replica = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = replica.local_addr().unwrap();
        let front = Front::with(address, server(underscores), EndpointConfig::default()).await;
        let mut client = Client::connect(front.address).await;
        client.send(REQUEST).await;
        let (mut stream, _) = replica.accept().await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"x-sum: 7\r\n\r\n") {
            assert!(stream.read_buf(&mut seen).await.unwrap() > 0, "{}", seen.escape_ascii());
        }
        let seen = String::from_utf8(seen).unwrap().to_ascii_lowercase();
        let (_, seen) = seen.split_once("\r\n0\r\n").expect("a trailer section");
        assert_eq!(seen.contains("x_real_ip: 6"), expected, "{underscores}: {seen}");
        assert!(!seen.contains("x-real-ip: 6"), "{seen}");
    }
}
