//! A replica that leaves takes its tunnels along, after the grace that a request has when the whole server shuts down.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "wire/tunnel.rs"]
mod tunnel;
mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use martello_balancer::discovery::{Discover, follow};
use martello_balancer::policy::RoundRobin;
use martello_balancer::{
    Balance, ConnectionStats, EndpointConfig, Http, HttpEndpoint, Proxy, ProxyRules, ServerConfig, Upgrades,
    listen, serve,
};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tunnel::{AGREE, ASK, expect, expect_end};
use wire::{Client, PATIENCE, read_head, until};

const GRACE: Duration = Duration::from_secs(1);

/// Addresses that somebody tells.
struct Told(UnboundedReceiver<Vec<SocketAddr>>);

impl Discover for Told {
    type Endpoint = SocketAddr;

    async fn next(&mut self) -> Option<Vec<SocketAddr>> {
        self.0.recv().await
    }
}

/// How a replica leaves.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    Drained,
    Removed,
    /// Its source does not know it any more.
    Gone,
}

/// A proxy over replicas, and those who can take them out.
struct Running {
    address: SocketAddr,
    balance: Balance<HttpEndpoint, RoundRobin, Http>,
    source: UnboundedSender<Vec<SocketAddr>>,
    _tasks: JoinSet<()>,
}

impl Running {
    async fn over(replicas: Vec<SocketAddr>) -> Self {
        let none: [(&str, HttpEndpoint); 0] = [];
        let balance = Balance::builder().protocol(Http::default()).build(RoundRobin, none);
        let (source, told) = unbounded_channel();
        source.send(replicas).unwrap();
        let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let server = ServerConfig { upgrades: Upgrades::On, drain_grace: GRACE, ..ServerConfig::default() };
        let asked = balance.clone();
        let make = move |peer| Proxy::new(asked.clone(), peer, ProxyRules::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, make, server, ConnectionStats::new(), std::future::pending()));
        tasks.spawn(follow(Told(told), balance.endpoints(), |address| {
            HttpEndpoint::new(*address, EndpointConfig::default())
        }));
        until(|| !balance.endpoints().names().is_empty()).await;
        Self { address, balance, source, _tasks: tasks }
    }

    fn take_out(&self, replica: SocketAddr, how: Leaves) {
        let (endpoints, name) = (self.balance.endpoints(), replica.to_string());
        match how {
            Leaves::Drained => drop(tokio::spawn(endpoints.drain(&name))),
            Leaves::Removed => assert!(endpoints.remove(&name)),
            Leaves::Gone => self.source.send(Vec::new()).unwrap(),
        }
    }
}

/// A tunnel, from the client's end to the replica's.
async fn open(front: SocketAddr, replica: &TcpListener) -> (TcpStream, TcpStream) {
    let mut client = Client::connect(front).await.stream;
    client.write_all(ASK.as_bytes()).await.unwrap();
    let (mut at_replica, _) = replica.accept().await.unwrap();
    read_head(&mut at_replica).await;
    at_replica.write_all(AGREE).await.unwrap();
    assert!(read_head(&mut client).await.starts_with("HTTP/1.1 101 "));
    (client, at_replica)
}

async fn replica() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn a_tunnel_has_its_grace_when_its_replica_leaves_and_no_more() {
    for how in [Leaves::Drained, Leaves::Removed, Leaves::Gone] {
        let (listener, address) = replica().await;
        let running = Running::over(vec![address]).await;
        let (mut polite, mut at_polite) = open(running.address, &listener).await;
        let (mut deaf, mut at_deaf) = open(running.address, &listener).await;
        let left = Instant::now();
        running.take_out(address, how);

        // Time to say goodbye.
        at_polite.write_all(b"bye").await.unwrap();
        expect(&mut polite, b"bye").await;
        polite.shutdown().await.unwrap();
        expect_end(&mut at_polite).await;
        drop(at_polite);
        expect_end(&mut polite).await;

        expect_end(&mut deaf).await;
        expect_end(&mut at_deaf).await;
        assert!(left.elapsed() >= GRACE, "{how:?}: cut off after {:?}", left.elapsed());
        until(|| running.balance.snapshot().endpoints.is_empty()).await;
    }
}

#[tokio::test]
async fn what_moves_does_not_lengthen_the_grace() {
    let (listener, address) = replica().await;
    let running = Running::over(vec![address]).await;
    let (mut client, mut at_replica) = open(running.address, &listener).await;
    let left = Instant::now();
    running.take_out(address, Leaves::Drained);
    // A write fails once the tunnel is closed.
    while at_replica.write_all(b"x").await.is_ok() {
        tokio::time::sleep(GRACE / 20).await;
        assert!(left.elapsed() < PATIENCE, "it goes on");
    }
    assert!(left.elapsed() >= GRACE, "cut off after {:?}", left.elapsed());
    expect(&mut client, b"xx").await;
}

#[tokio::test]
async fn the_tunnels_of_others_go_on() {
    let (one, two) = (replica().await, replica().await);
    let running = Running::over(vec![one.1, two.1]).await;
    // One each, but nobody knows whose is whose until they say so.
    let (first, second) = tokio::join!(open(running.address, &one.0), open(running.address, &two.0));
    let ((mut leaving, mut at_one), (mut staying, mut at_two)) = (first, second);
    at_one.write_all(b"one").await.unwrap();
    at_two.write_all(b"two").await.unwrap();
    let mut name = [0; 3];
    leaving.peek(&mut name).await.unwrap();
    if &name == b"two" {
        std::mem::swap(&mut leaving, &mut staying);
    }
    expect(&mut leaving, b"one").await;
    expect(&mut staying, b"two").await;

    running.balance.endpoints().drain(&one.1.to_string()).await;
    expect_end(&mut leaving).await;
    tokio::time::sleep(GRACE).await;
    staying.write_all(b"still here").await.unwrap();
    expect(&mut at_two, b"still here").await;
}
