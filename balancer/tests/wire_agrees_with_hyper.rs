//! The same valid bytes into this codec and into hyper's: both must understand the same requests.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod wire;

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use martello_balancer::{Body, ConnectionStats, ServerConfig, Underscores, listen, serve};
use proptest::prelude::*;
use tokio::net::TcpListener;
use wire::{Client, body};

/// Everything that a server knows of a request, as text.
async fn describe<B>(request: Request<B>) -> Bytes
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let (parts, body) = request.into_parts();
    let collected = body.collect().await.expect("the body is valid");
    let trailers = collected.trailers().cloned().unwrap_or_default();
    // The coding concerns the hop: this codec takes the field away with the coding itself, hyper leaves it.
    let mut fields: Vec<_> = parts.headers.iter().filter(|(name, _)| *name != "transfer-encoding").collect();
    fields.sort_by_key(|(name, _)| name.as_str().to_owned());
    let content = collected.to_bytes();
    let text = format!(
        "{} {} {:?} {fields:?} {trailers:?} {}",
        parts.method,
        parts.uri,
        parts.version,
        content.escape_ascii()
    );
    Bytes::from(text)
}

fn start_ours() -> SocketAddr {
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let make = |_| {
        tower::service_fn(|request: Request<Body>| async {
            Ok::<_, Infallible>(Response::new(Body::from(describe(request).await)))
        })
    };
    // What hyper does with such fields.
    let config = ServerConfig { underscores: Underscores::Pass, ..ServerConfig::default() };
    tokio::spawn(serve(listener, make, config, ConnectionStats::new(), std::future::pending()));
    address
}

async fn start_hyper() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(|request: Request<hyper::body::Incoming>| async {
                Ok::<_, Infallible>(Response::new(Full::new(describe(request).await)))
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    address
}

#[derive(Clone, Debug)]
struct Message {
    text: String,
    /// Whether an answer to it ends the connection.
    last: bool,
}

fn message() -> impl Strategy<Value = Message> {
    let method = prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]);
    let target = "/[a-z0-9%._~!$&'()*+,;=:@-]{0,12}(\\?[a-z0-9/?=&\\[\\]|{}]{0,12})?"
        .prop_filter("a percent sign introduces two digits", |target| !target.contains('%'));
    let field = ("x-[a-z0-9!#$&'*+.^_|~-]{0,8}", "[ -~]{0,20}", "[ \t]{0,2}", "[ \t]{0,2}");
    let fields = prop::collection::vec(field, 0..5);
    let connection =
        prop::sample::select(vec!["", "", "Connection: keep-alive\r\n", "CONNECTION: x, Close\r\n"]);
    let content = (prop::collection::vec("[a-z\r\n0]{1,40}", 0..5), framing());
    (method, target, fields, connection, content).prop_map(
        |(method, target, fields, connection, (pieces, framing))| {
            let mut text = format!("{method} {target} HTTP/1.1\r\nhOSt: a.example:80\r\n{connection}");
            for (name, value, before, after) in fields {
                text += &format!("{name}:{before}{}{after}\r\n", value.trim());
            }
            framing.write(&pieces, &mut text);
            Message { text, last: connection.contains("Close") }
        },
    )
}

#[derive(Clone, Debug)]
enum Written {
    Without,
    WithLength,
    InChunks { extension: String, trailer: bool, upper: bool },
}

fn framing() -> impl Strategy<Value = Written> {
    let chunks = ("(;[a-z]{1,5}(=[a-z]{1,5})?){0,2}", any::<bool>(), any::<bool>())
        .prop_map(|(extension, trailer, upper)| Written::InChunks { extension, trailer, upper });
    prop_oneof![Just(Written::Without), Just(Written::WithLength), chunks]
}

impl Written {
    fn write(&self, pieces: &[String], text: &mut String) {
        match self {
            Self::Without => *text += "\r\n",
            Self::WithLength => {
                let content = pieces.concat();
                *text += &format!("Content-Length: {}\r\n\r\n{content}", content.len());
            }
            Self::InChunks { extension, trailer, upper } => {
                *text += "Transfer-Encoding: chunked\r\n\r\n";
                for piece in pieces {
                    let size =
                        if *upper { format!("{:02X}", piece.len()) } else { format!("{:x}", piece.len()) };
                    *text += &format!("{size}{extension}\r\n{piece}\r\n");
                }
                *text += if *trailer { "0\r\nx-sum: 7\r\n\r\n" } else { "0\r\n\r\n" };
            }
        }
    }
}

/// What a server understood, and whether it then ended the connection.
async fn understood(address: SocketAddr, messages: &[Message], cuts: &[usize]) -> (Vec<String>, bool) {
    let whole: String = messages.iter().map(|message| &*message.text).collect();
    let mut client = Client::connect(address).await;
    let mut from = 0;
    for cut in cuts.iter().copied().filter(|cut| *cut < whole.len()).chain([whole.len()]) {
        client.send(&whole[from.min(cut)..cut]).await;
        from = from.max(cut);
        tokio::task::yield_now().await;
    }
    let mut answers = Vec::new();
    for _ in messages {
        answers.extend(client.answer().await.map(|answer| body(&answer).to_owned()));
    }
    let ended = messages.last().is_some_and(|message| message.last) && client.rest().await.0.is_empty();
    (answers, ended)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_understand_the_same_requests(
        first in prop::collection::vec(message(), 0..3), last in message(),
        cuts in prop::collection::vec(0_usize..400, 0..5),
    ) {
        let mut messages: Vec<_> = first.into_iter().filter(|message| !message.last).collect();
        messages.push(last);
        let mut cuts = cuts;
        cuts.sort_unstable();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let ours = understood(start_ours(), &messages, &cuts).await;
            let hypers = understood(start_hyper().await, &messages, &cuts).await;
            assert_eq!(ours.0.len(), messages.len());
            assert_eq!(ours, hypers);
        });
    }
}
