//! Whatever a client sends, a replica understands as many requests as there are answers, in the same order, each in the
//! one form that no two readers understand differently.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "wire/mutations.rs"]
mod mutations;
#[path = "wire/strict.rs"]
mod strict;
mod wire;

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use martello_balancer::{Balancer, EndpointConfig, ServerConfig, StatusPaths};
use mutations::Dice;
use strict::{Message, NoMessage, Strict};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;
use wire::{Front, PATIENCE};

/// How many requests with mistakes are tried.
const CASES: u64 = 3_000;

/// How many are tried at once, each with a replica of its own.
const LANES: u64 = 48;

/// What comes behind each of them. It must neither be lost in the one before nor become two.
const MARKER: &[u8] = b"GET /marker HTTP/1.1\r\nHost: marker\r\nX-Marker: yes\r\nConnection: close\r\n\r\n";

/// How long a request may stay unfinished that promises more than comes.
const SOON: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Heard {
    requests: Vec<Message>,
    unclear: Vec<String>,
}

/// A replica that numbers what it understands.
async fn replica() -> (SocketAddr, Arc<Mutex<Heard>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Heard::default()));
    let shared = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(number_all(Strict::new(stream), Arc::clone(&shared)));
        }
    });
    (address, heard)
}

async fn number_all(mut connection: Strict<TcpStream>, heard: Arc<Mutex<Heard>>) {
    loop {
        let number = match connection.next().await {
            Ok(request) => {
                let requests = &mut heard.lock().unwrap().requests;
                requests.push(request);
                requests.len() - 1
            }
            Err(NoMessage::Unclear(why)) => return heard.lock().unwrap().unclear.push(why),
            Err(NoMessage::End | NoMessage::Cut(_)) => return,
        };
        let answer = format!("HTTP/1.1 200 OK\r\nX-Number: {number}\r\nContent-Length: 2\r\n\r\n{{}}");
        if connection.io().write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Something that passes requests on to one replica, and what that replica heard.
struct Lane {
    address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
    _running: (Option<Front>, Option<oneshot::Sender<()>>),
}

impl Lane {
    /// The odd ones take heads apart, the even ones are balancers, which leave most heads as they came.
    async fn start(number: u64) -> Self {
        let (replica, heard) = replica().await;
        let server = ServerConfig {
            head_timeout: SOON,
            body_pause: SOON,
            idle_timeout: SOON,
            ..ServerConfig::default()
        };
        if number % 2 == 1 {
            let front = Front::with(replica, server, EndpointConfig::default()).await;
            return Self { address: front.address, heard, _running: (Some(front), None) };
        }
        let builder = Balancer::builder().listen("127.0.0.1:0").upstream(replica).server(server);
        let balancer = builder.status_paths(StatusPaths::none()).bind().await.unwrap();
        let address = balancer.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(balancer.serve(async {
            let _ = stopped.await;
        }));
        Self { address, heard, _running: (None, Some(stop)) }
    }

    /// Sends the bytes in pieces; returns what was answered, and what the replica understood meanwhile.
    async fn run(&self, bytes: &[u8], cuts: &[usize]) -> (Vec<Message>, Vec<Message>) {
        let before = self.heard.lock().unwrap().requests.len();
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut from = 0;
        for cut in cuts.iter().copied().chain([bytes.len()]) {
            // The other side may have had enough; its answer is still to be read.
            let _ = stream.write_all(&bytes[from..cut]).await;
            from = cut;
            tokio::task::yield_now().await;
        }
        let mut answers = Vec::new();
        let mut reader = Strict::new(stream);
        let read = async {
            loop {
                match reader.next().await {
                    Ok(answer) => answers.push(answer),
                    Err(end) => return end,
                }
            }
        };
        let end =
            timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("no end: {}", bytes.escape_ascii()));
        assert_eq!(end, NoMessage::End, "{}", bytes.escape_ascii());
        let heard = self.heard.lock().unwrap();
        assert_eq!(heard.unclear, [""; 0], "{}", bytes.escape_ascii());
        (answers, heard.requests[before..].to_vec())
    }
}

/// Each answer of the replica is that to the request which it understood at that place, and there is no other request.
fn check(answers: &[Message], heard: &[Message], first: usize) {
    let numbers = answers.iter().flat_map(|answer| answer.values("x-number"));
    let numbers: Vec<usize> =
        numbers.map(|number| String::from_utf8_lossy(number).parse().unwrap()).collect();
    assert_eq!(numbers, (first..first + heard.len()).collect::<Vec<_>>());
    for request in heard {
        check_form(request);
        // What was in one request stays there.
        let marked = !request.values("x-marker").is_empty();
        assert_eq!(
            marked,
            request.target() == "/marker" && request.values("host") == [b"marker"],
            "{request:?}"
        );
        if request.target() == "/inner" {
            assert_eq!((request.values("x-a").len(), request.values("host")), (0, vec![&b"inner"[..]]));
        }
    }
}

fn check_form(request: &Message) {
    let words: Vec<_> = request.line.split(' ').collect();
    assert!(matches!(words[..], [_, _, "HTTP/1.1"]), "{}", request.line);
    assert!(words[1].starts_with('/') || words[1] == "*", "{}", request.line);
    assert_eq!(request.values("host").len(), 1, "{request:?}");
    for name in ["keep-alive", "proxy-connection", "upgrade", "expect"] {
        assert_eq!(request.values(name), [b""; 0], "{request:?}");
    }
    assert!(matches!(request.values("te")[..], [] | [b"trailers"]), "{request:?}");
    assert!(matches!(request.values("connection")[..], [] | [b"te"]), "{request:?}");
    let names = request.fields.iter().chain(&request.trailers).map(|(name, _)| name);
    assert!(names.clone().all(|name| !name.contains('_')), "{request:?}");
    for known in ["x-forwarded-for", "x-real-ip", "x-forwarded-proto"] {
        assert_eq!(names.clone().filter(|name| *name == known).count(), 1, "{request:?}");
    }
}

async fn in_lanes(cases: Range<u64>, run: impl AsyncFn(&Lane, u64)) {
    let mut lanes = Vec::new();
    let run = &run;
    for number in 0..LANES {
        let cases = cases.clone();
        lanes.push(async move {
            let lane = Lane::start(number).await;
            for case in cases.skip(number as usize).step_by(LANES as usize) {
                run(&lane, case).await;
            }
        });
    }
    futures(lanes).await;
}

/// Runs them all at once in this task.
async fn futures<F: Future<Output = ()>>(futures: Vec<F>) {
    let mut futures: Vec<_> = futures.into_iter().map(|future| Some(Box::pin(future))).collect();
    std::future::poll_fn(|cx| {
        for slot in &mut futures {
            if slot.as_mut().is_some_and(|future| future.as_mut().poll(cx).is_ready()) {
                *slot = None;
            }
        }
        if futures.iter().all(Option::is_none) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

#[tokio::test]
async fn every_request_is_answered_once_whatever_is_wrong_with_it() {
    in_lanes(0..CASES, async |lane, case| {
        let (request, right) = mutations::request(case);
        let mut dice = Dice::new(case ^ 0xc075);
        let bytes = [&request[..], MARKER].concat();
        let mut cuts: Vec<_> = (0..dice.one(&[0, 0, 1, 3])).map(|_| dice.below(bytes.len())).collect();
        cuts.sort_unstable();
        let before = lane.heard.lock().unwrap().requests.len();
        let (answers, heard) = lane.run(&bytes, &cuts).await;
        let shown = format!("{case}: {} {answers:?} {heard:?}", request.escape_ascii());
        let checked = std::panic::catch_unwind(|| check(&answers, &heard, before));
        assert!(checked.is_ok(), "{shown}");
        if right {
            assert_eq!((answers.len(), heard.len()), (2, 2), "{shown}");
            assert_eq!(heard[1].target(), "/marker", "{shown}");
        }
    })
    .await;
}

/// The same requests, cut once at every place.
#[tokio::test]
async fn no_request_depends_on_where_its_bytes_are_cut() {
    const REQUESTS: [&str; 5] = [
        "GET /a HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabcdef",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n3\r\ndef\r\n0\r\nX-Sum: 7\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ];
    let whole = REQUESTS.map(|request| [request.as_bytes(), MARKER].concat());
    let places: Vec<_> =
        (0..whole.len()).flat_map(|at| (1..whole[at].len()).map(move |cut| (at, cut))).collect();
    let count = places.len() as u64;
    let expected: [(&[u16], &[u8]); 5] = [
        (&[200, 200], b""),
        (&[200, 200], b"abcdef"),
        (&[200, 200], b"abcdef"),
        (&[400], b""),
        (&[400], b""),
    ];
    in_lanes(0..count, async |lane, case| {
        let (at, cut) = places[case as usize];
        let (answers, heard) = lane.run(&whole[at], &[cut]).await;
        let statuses: Vec<_> = answers.iter().map(Message::status).collect();
        assert_eq!(statuses, expected[at].0, "{at} cut at {cut}");
        let content = heard.first().map_or(&b""[..], |request| &request.content);
        assert_eq!(content, expected[at].1, "{at} cut at {cut}");
    })
    .await;
}
