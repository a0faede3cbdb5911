//! Requests with mistakes into this codec and into hyper's: both understand the same, and where one of them refuses what the
//! other takes, the difference has a name and a reason.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "wire/mutations.rs"]
mod mutations;
#[path = "wire/strict.rs"]
mod strict;
mod wire;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use martello_balancer::{Body, ConnectionStats, ServerConfig, Underscores, listen, serve};
use strict::Strict;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use wire::PATIENCE;

/// How many requests with mistakes are compared.
const CASES: u64 = 2_000;

/// How long a request may stay unfinished.
const SOON: Duration = Duration::from_millis(500);

const MARKER: &[u8] = b"GET /marker HTTP/1.1\r\nHost: marker\r\nX-Marker: yes\r\nConnection: close\r\n\r\n";

/// What we refuse and hyper takes, by the words in which we do, each with the reason.
const STRICTER: &[(&str, &str)] = &[
    ("there is no host", "hyper leaves `Host` to its user"),
    ("more than one host", "hyper leaves `Host` to its user"),
    ("the host is malformed", "hyper leaves `Host` to its user"),
    ("the host differs from the target's", "hyper leaves `Host` to its user"),
    ("the request target is malformed", "hyper leaves forms of a target to its user, and cuts fragments off"),
    ("CONNECT is not served", "hyper leaves the method to its user"),
    ("a TRACE request has content", "hyper leaves the method to its user"),
    ("an expectation other than 100-continue", "hyper leaves expectations to its user"),
    ("a line does not end with CR LF", "hyper takes a bare LF, as RFC 9112 section 2.2 allows"),
    ("both content-length and transfer-encoding", "hyper drops the length, as RFC 9112 section 6.3 allows"),
    ("more than one content-length", "hyper takes equal ones, as RFC 9112 section 6.3 allows"),
    ("content-length is not a number", "hyper does not look at a length beside a coding"),
    ("more than one transfer-encoding", "hyper looks at the last coding alone"),
    ("a transfer coding other than one chunked", "hyper looks at the last coding alone"),
    ("a chunk size is not hexadecimal", "hyper takes any number of leading zeros"),
    ("a chunk extension is malformed", "hyper takes blanks behind a size"),
    ("the head is too long", "hyper takes as much as its buffer, 400 KB"),
    ("the request line is too long", "hyper takes as much as its buffer, 400 KB"),
];

/// What is compared of a request: not the coding, which concerns the hop; nor `Host`, which we make of an absolute target;
/// nor trailers that must not be any (RFC 9110 section 6.5.1), which hyper leaves to its user.
async fn essence<B>(request: Request<B>) -> Result<String, B::Error>
where
    B: http_body::Body<Data = Bytes>,
{
    let (parts, body) = request.into_parts();
    let collected = body.collect().await?;
    let mut trailers = collected.trailers().cloned().unwrap_or_default();
    for name in ["content-length", "host", "connection"] {
        trailers.remove(name);
    }
    let fields = parts.headers.iter().filter(|(name, _)| *name != "transfer-encoding" && *name != "host");
    let mut fields: Vec<_> = fields.collect();
    fields.sort_by_key(|(name, _)| name.as_str().to_owned());
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let content = collected.to_bytes();
    Ok(format!(
        "{} {target} {:?} {fields:?} {trailers:?} {}",
        parts.method,
        parts.version,
        content.escape_ascii()
    ))
}

/// The answer says what was understood; what did not end is no request.
async fn tell<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible>
where
    B: http_body::Body<Data = Bytes>,
{
    let (status, text) = match timeout(SOON, essence(request)).await {
        Ok(Ok(essence)) => (StatusCode::OK, essence),
        _ => (StatusCode::BAD_REQUEST, "it does not end".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    if status != StatusCode::OK {
        response.headers_mut().insert("connection", HeaderValue::from_static("close"));
    }
    Ok(response)
}

fn start_ours() -> SocketAddr {
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let make = |_| {
        tower::service_fn(|request: Request<Body>| async {
            tell(request).await.map(|response| response.map(Body::new))
        })
    };
    let config = ServerConfig {
        underscores: Underscores::Pass,
        head_timeout: SOON,
        body_pause: SOON,
        idle_timeout: SOON,
        ..ServerConfig::default()
    };
    tokio::spawn(serve(listener, make, config, ConnectionStats::new(), std::future::pending()));
    address
}

async fn start_hyper() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(SOON);
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service_fn(tell)));
        }
    });
    address
}

/// What a server understood one after the other, and why it then stopped, if it said so.
#[derive(Debug)]
struct Heard {
    requests: Vec<String>,
    refusal: Option<String>,
}

async fn heard(server: SocketAddr, bytes: &[u8]) -> Heard {
    let mut stream = TcpStream::connect(server).await.unwrap();
    // The other side may have had enough; its answer is still to be read.
    let _ = stream.write_all(bytes).await;
    let mut reader = Strict::new(stream);
    let mut heard = Heard { requests: Vec::new(), refusal: None };
    while let Ok(answer) = timeout(PATIENCE, reader.next()).await.expect("the connection ends") {
        let text = String::from_utf8_lossy(&answer.content).into_owned();
        match answer.status() {
            100..=199 => {}
            200 => heard.requests.push(text),
            status => heard.refusal = Some(format!("{status} {text}")),
        }
    }
    heard
}

/// The name of a difference, if there is one.
fn difference(ours: &Heard, hypers: &Heard) -> Option<&'static str> {
    let common = ours.requests.len().min(hypers.requests.len());
    assert_eq!(
        ours.requests[..common],
        hypers.requests[..common],
        "both understand something, and not the same"
    );
    assert!(ours.requests.len() <= hypers.requests.len(), "hyper refuses what we take");
    if ours.requests.len() == hypers.requests.len() {
        return None;
    }
    let said = ours.refusal.as_deref().unwrap_or_default();
    let known = STRICTER.iter().find(|(words, _)| said.contains(words));
    Some(known.unwrap_or_else(|| panic!("a difference without a name: {said}")).0)
}

#[tokio::test]
async fn every_difference_has_a_name() {
    let (ours, hypers) = (start_ours(), start_hyper().await);
    let mut seen = BTreeMap::<_, u64>::new();
    for from in (0..CASES).step_by(100) {
        let mut running = JoinSet::new();
        for case in from..from + 100 {
            running.spawn(async move {
                let bytes = [&mutations::request(case).0[..], MARKER].concat();
                let (ours, hypers) = tokio::join!(heard(ours, &bytes), heard(hypers, &bytes));
                let found = std::panic::catch_unwind(|| difference(&ours, &hypers));
                let shown = || format!("{case}: {}\n{ours:?}\n{hypers:?}", bytes.escape_ascii());
                found.unwrap_or_else(|_| panic!("{}", shown()))
            });
        }
        for name in running.join_all().await.into_iter().flatten() {
            *seen.entry(name).or_default() += 1;
        }
    }
    // What never happens needs no name.
    for (name, reason) in STRICTER {
        assert!(seen.contains_key(name), "{name} ({reason}) is no difference: {seen:?}");
    }
}
