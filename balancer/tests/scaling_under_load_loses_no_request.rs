//! Replicas that come and go by a source of the user's own, under closed-loop load: no request fails, a
//! leaver gets nothing new, and everybody who is in gets a share.

mod replica;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use martello_balancer::{Balancer, discovery::Discover};
use replica::{Replica, closed_loop, eventually, total};
use tokio::sync::mpsc;

/// Whatever set of replicas the test sends.
struct Told(mpsc::Receiver<Vec<SocketAddr>>);

impl Discover for Told {
    type Endpoint = SocketAddr;

    async fn next(&mut self) -> Option<Vec<SocketAddr>> {
        self.0.recv().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scaling_from_one_to_three_to_one_other_loses_nothing() {
    let mut replicas = [Replica::start(), Replica::start(), Replica::start()];
    let addresses: Vec<SocketAddr> = replicas.iter().map(|replica| replica.address).collect();
    let (tell, told) = mpsc::channel(1);
    let mut balancer = Balancer::builder().listen("127.0.0.1:0").bind().await.unwrap();
    balancer.follow(Told(told));
    let (address, status, members) = (balancer.local_addr(), balancer.status(), balancer.endpoints());
    let (stop_serving, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(balancer.serve(async { _ = stopped.await }));

    tell.send(addresses[..1].to_vec()).await.unwrap();
    eventually("the first replica is in", || members.addresses() == addresses[..1]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients = closed_loop(address, 16, &stop);
    eventually("the load runs", || replicas[0].reached() > 100).await;

    tell.send(addresses.clone()).await.unwrap();
    eventually("newcomers get their share", || replicas[1..].iter().all(|replica| replica.reached() > 100))
        .await;

    tell.send(addresses[2..].to_vec()).await.unwrap();
    eventually("leavers have drained", || status.snapshot().endpoints.len() == 1).await;
    let left: Vec<u64> = replicas[..2].iter().map(Replica::reached).collect();
    replicas[..2].iter_mut().for_each(Replica::kill);
    let before = replicas[2].reached();
    eventually("the load goes on", || replicas[2].reached() > before + 100).await;
    stop.store(true, Ordering::Relaxed);

    let tally = total(clients).await;
    assert_eq!(tally.failures, Vec::<String>::new(), "of {}", tally.answered);
    let reached: Vec<u64> = replicas[..2].iter().map(Replica::reached).collect();
    assert_eq!(reached, left, "who has drained gets nothing");
    drop(stop_serving);
    serving.await.unwrap().unwrap();
}
