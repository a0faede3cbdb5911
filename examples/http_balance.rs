//! `Balance` over HTTP endpoints, as a client of your own program: no balancer process in between, and the same health,
//! retries and policies. One of three servers is switched off in the middle.
//!
//! `cargo run --example http_balance`
//!
//! ```text
//! three servers   300 answers   127.0.0.1:41871 100   127.0.0.1:35127 100   127.0.0.1:45307 100
//! one goes away   300 answers   127.0.0.1:41871 3     127.0.0.1:35127 149   127.0.0.1:45307 150   (2 retries)
//! ```
//!
//! The one that goes away answers until it has heard of it, here once; two failed connections later it is ejected.

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::ensure;
use http::{Method, Request, Response};
use martello::balancer::policy::LeastRequests;
use martello::balancer::{
    Balance, Body, ConnectionStats, EndpointConfig, Http, HttpEndpoint, ServerConfig, Snapshot, TryTimeout,
    listen, serve,
};
use tokio::sync::oneshot;
use tower::{ServiceExt, service_fn};

type Servers = Balance<HttpEndpoint, LeastRequests, Http>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(start().await?);
    }
    // A POST is not repeated once it was sent, unless somebody who knows says that it may be.
    let http = Http::default().assume_pure(&Method::POST, "/double");
    let endpoints = servers
        .iter()
        .map(|(address, _)| (address.to_string(), HttpEndpoint::new(*address, EndpointConfig::default())));
    let balance = Balance::builder()
        .protocol(http)
        .try_timeout(TryTimeout { floor: Duration::from_millis(200), ..TryTimeout::default() })
        .build(LeastRequests::default(), endpoints);

    ask_300("three servers", &balance).await?;
    let (_, stop) = servers.remove(0);
    drop(stop);
    ask_300("one goes away", &balance).await
}

/// A server that doubles the number in the body; it ends when the sender is dropped.
async fn start() -> anyhow::Result<(SocketAddr, oneshot::Sender<()>)> {
    let listener = listen(([127, 0, 0, 1], 0).into())?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let double = |_peer| {
        service_fn(|request: Request<Body>| async move {
            let number = request
                .body()
                .as_bytes()
                .and_then(|body| std::str::from_utf8(body).ok()?.parse::<u64>().ok());
            let answer = number.map_or_else(|| "no number".to_owned(), |number| (2 * number).to_string());
            Ok::<_, Infallible>(Response::new(Body::from(answer)))
        })
    };
    // An error says that the sender is gone, which is the signal.
    let ended = async { drop(stopped.await) };
    tokio::spawn(serve(listener, double, ServerConfig::default(), ConnectionStats::new(), ended));
    Ok((address, stop))
}

/// Asks 300 times, loses no answer, and says who answered.
async fn ask_300(situation: &str, balance: &Servers) -> anyhow::Result<()> {
    let before = balance.snapshot();
    for number in 0..300_u64 {
        let request =
            Request::post("/double").header("host", "servers").body(Body::from(number.to_string()))?;
        let answer = balance.clone().oneshot(request).await?;
        let right = (2 * number).to_string();
        ensure!(answer.body().as_bytes().is_some_and(|body| *body == right), "{number} doubled is {right}");
    }
    println!("{situation}   300 answers   {}", shares(&before, &balance.snapshot()));
    Ok(())
}

/// How many requests each endpoint got between two snapshots.
fn shares(before: &Snapshot, after: &Snapshot) -> String {
    let pairs = || before.endpoints.iter().zip(&after.endpoints);
    let shares =
        pairs().map(|(before, after)| format!("{} {:<3}", after.name, after.requests - before.requests));
    let retries: u64 = pairs().map(|(before, after)| after.retries - before.retries).sum();
    let retried = if retries == 0 { String::new() } else { format!("   ({retries} retries)") };
    shares.collect::<Vec<_>>().join("   ") + &retried
}
