//! Whatever a replica sends, a client sees one answer to each of its requests, or none to it and none behind it; and what
//! it sees is what hyper's client understands of the same bytes, or a 502.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "wire/bad_answers.rs"]
mod bad_answers;
#[path = "wire/mutations.rs"]
mod mutations;
#[path = "wire/strict.rs"]
mod strict;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use martello_balancer::{EndpointConfig, ServerConfig};
use strict::{Message, NoMessage, Strict};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use wire::{Front, PATIENCE};

/// How many answers with mistakes are tried, besides those that are known by name.
const CASES: u64 = 400;

/// How long an answer may stay unfinished that promises more than comes. Who understands something else within one of
/// these times, but not before it was over, may only have been slower: the next one decides, and the last for good.
const PATIENCES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(25)];

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nX-Good: yes\r\nContent-Length: 4\r\n\r\ngood";

/// A replica that says these bytes to whoever asks for `/bad`, and may close the connection then; others get an answer.
async fn replica(bad: Arc<[u8]>, closes: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_all(Strict::new(stream), Arc::clone(&bad), closes));
        }
    });
    address
}

async fn answer_all(mut connection: Strict<TcpStream>, bad: Arc<[u8]>, closes: bool) {
    while let Ok(request) = connection.next().await {
        let is_bad = request.target() == "/bad";
        let said = connection.io().write_all(if is_bad { &bad } else { GOOD }).await;
        if said.is_err() || (is_bad && closes) {
            return;
        }
    }
}

/// What a client gets that asks for `/bad` and, in the same breath, for `/good`.
async fn through_proxy(replica: SocketAddr, patience: Duration) -> (Vec<Message>, NoMessage) {
    let endpoint = EndpointConfig { progress_timeout: patience, ..EndpointConfig::default() };
    let front = Front::with(replica, ServerConfig::default(), endpoint).await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    let asked =
        b"GET /bad HTTP/1.1\r\nHost: a\r\n\r\nGET /good HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(asked).await.unwrap();
    let (mut reader, mut answers) = (Strict::new(stream), Vec::new());
    let read = async {
        loop {
            match reader.next().await {
                // What comes before an answer is none.
                Ok(answer) if (100..200).contains(&answer.status()) => check_interim(&answer),
                Ok(answer) => answers.push(answer),
                Err(end) => return end,
            }
        }
    };
    let end = timeout(PATIENCE + 2 * patience, read).await.expect("the connection ends");
    (answers, end)
}

/// RFC 9110 section 8.6 and RFC 9112 section 6.1: no interim answer is framed.
fn check_interim(answer: &Message) {
    for name in ["content-length", "transfer-encoding", "connection", "keep-alive"] {
        assert_eq!(answer.values(name), [b""; 0], "{answer:?}");
    }
}

/// What hyper's client understands: a status and content, or why not.
async fn by_hyper(replica: SocketAddr, patience: Duration) -> Result<(u16, Bytes), String> {
    let stream = TcpStream::connect(replica).await.unwrap();
    let mut builder = hyper::client::conn::http1::Builder::new();
    // What RFC 9112 section 5.1 asks of a proxy, and hyper does not do unasked.
    builder.allow_spaces_after_header_name_in_responses(true);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/bad").header("host", "a").body(Empty::<Bytes>::new()).unwrap();
    let whole = async {
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes()))
    };
    timeout(patience, whole).await.unwrap_or_else(|_| Err("no end".to_owned()))
}

/// One answer to `/bad` as hyper understands it, or a refusal, or a part of one and the end.
fn check((answers, end): &(Vec<Message>, NoMessage), hyper: &Result<(u16, Bytes), String>) -> &'static str {
    assert!(!matches!(end, NoMessage::Unclear(_)), "an unclear answer");
    let [first, rest @ ..] = &answers[..] else {
        assert!(matches!(end, NoMessage::Cut(_)), "no answer");
        assert!(hyper.is_err(), "hyper understands more");
        return "cut off";
    };
    assert!(first.line.starts_with("HTTP/1.1 ") && !first.line.contains("Smuggled"), "another's answer");
    let [second] = rest else { panic!("{} answers", answers.len()) };
    assert_eq!((second.status(), second.values("x-good").len(), &second.content[..]), (200, 1, &b"good"[..]));
    if matches!(first.status(), 502 | 504) && first.content.starts_with(b"{\"detail\"") {
        return "refused";
    }
    for name in ["keep-alive", "proxy-connection", "upgrade", "te", "connection"] {
        assert_eq!(first.values(name), [b""; 0]);
    }
    assert_eq!(
        *hyper,
        Ok((first.status(), Bytes::from(first.content.clone()))),
        "hyper understands something else"
    );
    "passed on"
}

async fn run(bad: Arc<[u8]>, closes: bool) -> &'static str {
    let mut shown = String::new();
    for patience in PATIENCES {
        let (replica, began) = (replica(Arc::clone(&bad), closes).await, Instant::now());
        let (seen, hyper) = tokio::join!(through_proxy(replica, patience), by_hyper(replica, patience));
        let checked = catch_unwind(|| check(&seen, &hyper));
        if let Ok(end) = checked {
            return end;
        }
        shown = format!("{}, closes: {closes}\n{seen:?}\nhyper: {hyper:?}", bad.escape_ascii());
        if began.elapsed() < patience {
            break;
        }
    }
    panic!("{shown}")
}

#[tokio::test]
async fn every_request_gets_one_answer_whatever_the_replica_says() {
    let known = bad_answers::BROKEN.iter().map(|(answer, _)| Arc::from(*answer));
    let mut cases: Vec<(Arc<[u8]>, bool)> =
        known.flat_map(|answer: Arc<[u8]>| [(answer.clone(), false), (answer, true)]).collect();
    cases.extend((0..CASES).map(|seed| (mutations::answer(seed).into(), seed % 2 == 0)));
    let mut ends = BTreeMap::<_, usize>::new();
    for some in cases.chunks(64) {
        let mut running = JoinSet::new();
        for (bad, closes) in some {
            running.spawn(run(Arc::clone(bad), *closes));
        }
        for end in running.join_all().await {
            *ends.entry(end).or_default() += 1;
        }
    }
    // Else nothing would have been compared.
    assert!(ends["passed on"] > 50 && ends["refused"] > 150, "{ends:?}");
}
