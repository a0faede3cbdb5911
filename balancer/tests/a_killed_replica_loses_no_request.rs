//! SIGKILL of one and of two of three replicas, each a process of its own, under 64 and under 256 closed-loop
//! connections: every request is answered, once, by its own answer.

mod replica;

use std::sync::{Arc, atomic::AtomicBool};

use martello_balancer::{Balancer, EndpointState};
use replica::{
    Client, closed_loop, eventually,
    process::{self, processes},
    total,
};
use tokio::task::JoinSet;

/// Not a test: what the processes below run.
#[tokio::test]
async fn serves_when_it_is_told_to_be_a_replica() {
    process::serve_if_told().await;
}

async fn check_killing(killed: usize, clients: u64) {
    let (mut processes, running) = processes(3, Balancer::builder()).await;
    let status = running.status.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let clients = closed_loop(running.address, clients, &stop);
    let requests = || status.snapshot().endpoints.iter().map(|endpoint| endpoint.requests).sum::<u64>();
    eventually("the load runs", || requests() > 1_000).await;
    for process in processes.iter_mut().take(killed) {
        process.kill();
    }
    let at_kill = requests();
    eventually("the dead are ejected", || {
        let snapshot = status.snapshot();
        let dead = processes.iter().take(killed).map(|process| process.address.to_string());
        dead.filter_map(|name| snapshot.endpoint(&name).map(|endpoint| endpoint.state))
            .all(|state| state == EndpointState::Ejected)
    })
    .await;
    eventually("the load goes on", || requests() > at_kill + 1_000).await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let tally = total(clients).await;
    assert_eq!(tally.failures, Vec::<String>::new(), "of {} requests", tally.answered);
    assert!(tally.answered > 1_000, "{tally:?}");
    let retries: u64 = status.snapshot().endpoints.iter().map(|endpoint| endpoint.retries).sum();
    assert!(retries > 0, "under load, the dead take requests with them");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigkill_of_one_of_three_loses_nothing() {
    check_killing(1, 64).await;
    check_killing(1, 256).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigkill_of_two_of_three_at_once_loses_nothing() {
    check_killing(2, 64).await;
    check_killing(2, 256).await;
}

/// Asks all at once; each must get its own request back.
async fn ask_all(clients: Vec<Client>, size: usize) -> Vec<Client> {
    let mut asked = JoinSet::new();
    for (number, mut client) in clients.into_iter().enumerate() {
        asked.spawn(async move {
            let body = format!("{number} {}", "x".repeat(size));
            let answer = client.post(body.clone()).await.expect("an answer");
            assert_eq!((answer.status().as_u16(), answer.body().len()), (200, body.len()));
            assert_eq!(answer.body(), body.as_bytes());
            client
        });
    }
    asked.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_too_large_to_keep_goes_to_another_as_long_as_nothing_was_read_of_it() {
    let (mut processes, running) = processes(3, Balancer::builder()).await;
    let clients = (0..12).map(|_| Client::new(running.address)).collect();
    let clients = ask_all(clients, 10).await;
    processes[0].kill();
    // To the dead one go those that find its connections closed, and those that cannot connect.
    ask_all(clients, 300_000).await;
    let name = processes[0].address.to_string();
    let dead = running.status.snapshot().endpoint(&name).map(|endpoint| endpoint.failures);
    assert!(dead > Some(0), "nobody was sent to the dead one");
    running.stop().await;
}
