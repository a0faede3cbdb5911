//! When all replicas fail, 2,500 requests reach them at most 1.2 times over (a short outage gets the whole
//! reserve of retries and may be above that), clients get a fast answer that
//! says why, and the first answer comes as soon as a replica is back.

mod replica;

use std::time::{Duration, Instant};

use martello_balancer::{Balancer, EndpointState};
use replica::{Client, Replica, Running, eventually};

#[tokio::test]
async fn replicas_that_all_answer_500_get_at_most_a_fifth_more() {
    let replicas = [Replica::start(), Replica::start(), Replica::start()];
    let running = Running::over(&replicas).await;
    let mut client = Client::new(running.address);
    for number in 0..30 {
        assert_eq!(client.post(number.to_string()).await.unwrap().status(), 200);
    }
    replicas.iter().for_each(|replica| replica.answer_with(500));
    let before: u64 = replicas.iter().map(Replica::reached).sum();
    let sent = 2_500;
    for number in 0..sent {
        assert_eq!(client.post(number.to_string()).await.unwrap().status(), 500);
    }
    let reached = replicas.iter().map(Replica::reached).sum::<u64>() - before;
    println!("{sent} sent, {reached} reached: {:.3} times", reached as f64 / sent as f64);
    assert!(reached as f64 <= 1.2 * sent as f64, "{reached} requests reached the replicas, {sent} were sent");

    replicas[0].answer_with(200);
    replicas[1].answer_with(200);
    replicas[2].answer_with(200);
    let mut fine = 0;
    for number in 0..20 {
        fine += u32::from(client.post(number.to_string()).await.unwrap().status() == 200);
    }
    assert_eq!(fine, 20);
    running.stop().await;
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
    let answer = client.post("back".into()).await.unwrap();
    assert_eq!((answer.status().as_u16(), back.reached()), (200, 1), "panic mode finds it at once");
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
