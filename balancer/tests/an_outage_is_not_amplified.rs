//! When all replicas fail, requests reach them at most 1.2 times over, in a short outage as in a long one; clients
//! get a fast answer that says why, and the first answer comes as soon as a replica is back.

mod replica;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use martello_balancer::{Balancer, EndpointState};
use replica::{Client, Replica, Running, closed_loop, eventually, total};

async fn working() -> (Vec<Replica>, Running, Client) {
    let replicas: Vec<Replica> = (0..3).map(|_| Replica::start()).collect();
    let running = Running::over(&replicas).await;
    let mut client = Client::new(running.address);
    for number in 0..30 {
        assert_eq!(client.post(number.to_string()).await.expect("it answers").status(), 200);
    }
    (replicas, running, client)
}

fn attempts(running: &Running) -> u64 {
    running.status.snapshot().endpoints.iter().map(|endpoint| endpoint.requests).sum()
}

/// Returns the statuses that clients were told. Counted are attempts, also those that reached nobody.
#[expect(clippy::print_stdout, reason = "the figures are quoted")]
async fn check_outage(how: &str, fail: impl Fn(&mut Replica), sent: u64) -> BTreeSet<u16> {
    let (mut replicas, running, mut client) = working().await;
    replicas.iter_mut().for_each(fail);
    let (before, mut told) = (attempts(&running), BTreeSet::new());
    for number in 0..sent {
        told.insert(client.post(number.to_string()).await.expect("it answers").status().as_u16());
    }
    let made = attempts(&running) - before;
    println!("{how}: {sent} sent, {made} attempts: {:.3} times", made as f64 / sent as f64);
    assert!(made as f64 <= 1.2 * sent as f64, "{how}: {made} attempts for {sent} requests");
    running.stop().await;
    told
}

const LENGTHS: [u64; 4] = [20, 100, 500, 2_500];

#[tokio::test]
async fn replicas_that_all_answer_500_get_at_most_a_fifth_more() {
    for sent in LENGTHS {
        let told = check_outage("500", |replica| replica.answer_with(500), sent).await;
        assert_eq!(
            told,
            [500, 503].into(),
            "their own answers until all are ejected, and then that they are"
        );
    }
}

#[tokio::test]
async fn replicas_that_all_answer_500_are_an_outage_once_they_are_ejected() {
    let (replicas, running, mut client) = working().await;
    replicas.iter().for_each(|replica| replica.answer_with(500));
    let mut passed_on = 0;
    for number in 0..100 {
        let is_outage = running.status.snapshot().panic;
        let answer = client.post(format!("what failed in {number}")).await.expect("it answers");
        let text: &[u8] = answer.body();
        if answer.status() == 500 {
            assert!(!is_outage, "{number}: nobody is believed to work");
            assert_eq!(text, format!("what failed in {number}").as_bytes(), "it is passed on as it came");
            passed_on += 1;
            continue;
        }
        let told: serde_json::Value = serde_json::from_slice(text).unwrap();
        assert_eq!((answer.status().as_u16(), &told["reason"]), (503, &"no-endpoint".into()));
        assert!(told["detail"].as_str().unwrap().contains("answered with an error of its own"));
        assert_eq!(answer.headers()["retry-after"], "1");
    }
    assert!((1..30).contains(&passed_on), "{passed_on} of 100 before all were ejected");
    replicas.iter().for_each(|replica| replica.answer_with(503));
    let answer = client.post("why".into()).await.expect("it answers");
    assert_eq!(&answer.body()[..], b"why", "a replica's own 503 is one already");
    replicas.iter().for_each(|replica| replica.answer_with(200));
    assert_eq!(client.post("back".into()).await.expect("it answers").status(), 200);
    running.stop().await;
}

#[tokio::test]
async fn a_single_replica_that_answers_500_is_an_outage_as_well() {
    let replica = Replica::start();
    let running = Running::over(std::slice::from_ref(&replica)).await;
    let mut client = Client::new(running.address);
    replica.answer_with(500);
    let mut told = Vec::new();
    for _ in 0..8 {
        told.push(client.post("x".into()).await.expect("it answers").status().as_u16());
    }
    assert_eq!(told, [500, 500, 500, 500, 503, 503, 503, 503], "five in a row are what ejects others");
    replica.answer_with(200);
    assert_eq!(client.post("back".into()).await.expect("it answers").status(), 200);
    running.stop().await;
}

#[tokio::test]
async fn one_request_that_breaks_every_replica_fails_no_other() {
    let (replicas, running, mut client) = working().await;
    for _ in 0..20 {
        replicas.iter().for_each(|replica| replica.answer_with(500));
        for _ in 0..3 {
            assert_eq!(client.post("poison".into()).await.expect("it answers").status(), 500);
        }
        replicas.iter().for_each(|replica| replica.answer_with(200));
        assert_eq!(client.post("food".into()).await.expect("it answers").status(), 200);
    }
    running.stop().await;
}

#[tokio::test]
async fn replicas_that_all_reset_get_at_most_a_fifth_more() {
    for sent in LENGTHS {
        assert_eq!(check_outage("reset", |replica| replica.reset(), sent).await, [503].into());
    }
}

#[tokio::test]
async fn replicas_that_are_all_dead_get_at_most_a_fifth_more() {
    for sent in LENGTHS {
        assert_eq!(check_outage("killed", Replica::kill, sent).await, [503].into());
    }
}

#[tokio::test]
async fn many_clients_at_once_do_not_amplify_an_outage_either() {
    for reset in [false, true] {
        let (replicas, running, _) = working().await;
        let stop = Arc::new(AtomicBool::new(false));
        let clients = closed_loop(running.address, 64, &stop);
        eventually("the load runs", || attempts(&running) > 500).await;
        let fail = |replica: &Replica| if reset { replica.reset() } else { replica.answer_with(500) };
        replicas.iter().for_each(fail);
        let retries =
            || running.status.snapshot().endpoints.iter().map(|endpoint| endpoint.retries).sum::<u64>();
        let (before, retried) = (attempts(&running), retries());
        eventually("it goes on for a while", || attempts(&running) > before + 500).await;
        let retried = retries() - retried;
        println!("64 clients, reset: {reset}: {retried} retries among the first 500 attempts");
        assert!(retried <= 83, "{retried} of 500 attempts were repetitions: more than 1.2 times");
        stop.store(true, Ordering::Relaxed);
        total(clients).await;
        replicas.iter().for_each(|replica| replica.answer_with(200));
        let mut client = Client::new(running.address);
        for number in 0..20 {
            assert_eq!(client.post(number.to_string()).await.unwrap().status(), 200);
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn without_any_replica_the_answer_is_a_fast_error_and_recovery_is_at_once() {
    let mut replicas = [Replica::start(), Replica::start()];
    let running = Running::over(&replicas).await;
    let mut client = Client::new(running.address);
    for number in 0..4 {
        assert_eq!(client.post(number.to_string()).await.unwrap().status(), 200);
    }
    replicas.iter_mut().for_each(Replica::kill);
    let began = Instant::now();
    for number in 0..50 {
        let answer = client.post(number.to_string()).await.unwrap();
        assert!(answer.status().is_server_error(), "{answer:?}");
        assert!(!answer.body().is_empty(), "an error says why");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "50 errors took {:?}", began.elapsed());
    assert!(running.status.snapshot().panic, "all are ejected, and the snapshot says so");
    let answer = client.post("x".into()).await.unwrap();
    let told: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!((answer.status().as_u16(), &told["reason"]), (503, &"no-endpoint".into()));
    assert!(answer.headers().contains_key("retry-after"));

    let back = Replica::start_at(&replicas[1].address.to_string());
    let (first, second) = (client.post("1".into()).await.unwrap(), client.post("2".into()).await.unwrap());
    let answered = [&first, &second].into_iter().filter(|answer| answer.status() == 200).count();
    assert!(
        answered >= 1 && back.reached() >= 1,
        "panic mode asks one after the other: {first:?} {second:?}"
    );
    let name = back.address.to_string();
    assert_eq!(running.status.snapshot().endpoint(&name).unwrap().state, EndpointState::Ready);
    running.stop().await;
}

#[tokio::test]
async fn a_dead_replica_returns_when_it_takes_connections_again() {
    let mut replicas = [Replica::start(), Replica::start()];
    let running = Running::over(&replicas).await;
    let mut client = Client::new(running.address);
    let name = replicas[0].address.to_string();
    let state = || running.status.snapshot().endpoint(&name).unwrap().state;
    for number in 0..2 {
        assert_eq!(client.post(number.to_string()).await.unwrap().status(), 200);
    }
    replicas[0].kill();
    for number in 0..20 {
        assert_eq!(client.post(number.to_string()).await.unwrap().status(), 200);
    }
    assert_eq!(state(), EndpointState::Ejected);
    let back = Replica::start_at(&name);
    eventually("the probe finds it", || state() == EndpointState::Ready).await;
    for number in 0..20 {
        assert_eq!(client.post(number.to_string()).await.unwrap().status(), 200);
    }
    assert_eq!(back.reached(), 10, "it has its turns again");
    running.stop().await;
}

#[tokio::test]
async fn without_upstreams_the_answer_is_503_until_one_is_added() {
    let running = Running::start(Balancer::builder()).await;
    let mut client = Client::new(running.address);
    assert_eq!(client.post("x".into()).await.unwrap().status(), 503);
    let replica = Replica::start();
    assert!(running.replicas.add(replica.address));
    assert_eq!(client.post("x".into()).await.unwrap().status(), 200);
    running.replicas.drain(replica.address).await;
    assert_eq!(client.post("x".into()).await.unwrap().status(), 503);
    running.stop().await;
}
