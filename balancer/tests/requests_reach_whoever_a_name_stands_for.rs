//! Upstreams by address and by name, an even spread over sockets, probes, and a taken port.

mod replica;

use std::error::Error as _;

use martello_balancer::{Balancer, EndpointState, Probe, policy::PolicyKind};
use replica::{Client, Replica, Running, eventually};

#[tokio::test]
async fn every_policy_answers_and_round_robin_is_even() {
    for policy in PolicyKind::ALL {
        let replicas = [Replica::start(), Replica::start(), Replica::start()];
        let addresses = replicas.iter().map(|replica| replica.address);
        let running = Running::start_ready(Balancer::builder().upstreams(addresses).policy(policy)).await;
        let mut client = Client::new(running.address);
        for number in 0..60 {
            let answer = client.post(number.to_string()).await.unwrap();
            assert_eq!(
                (answer.status().as_u16(), answer.body()),
                (200, &number.to_string().into()),
                "{policy}"
            );
        }
        let reached: Vec<u64> = replicas.iter().map(Replica::reached).collect();
        assert_eq!(reached.iter().sum::<u64>(), 60, "{policy}: {reached:?}");
        if matches!(policy, PolicyKind::RoundRobin | PolicyKind::LeastRequests) {
            assert_eq!(reached, [20, 20, 20], "{policy}");
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let replica = Replica::start();
    let upstream = format!("localhost:{}", replica.address.port());
    let running = Running::start(Balancer::builder().upstream(upstream)).await;
    assert_eq!(running.replicas.addresses(), [replica.address]);
    assert_eq!(Client::new(running.address).post("x".into()).await.unwrap().status(), 200);
    running.stop().await;
}

#[tokio::test]
async fn a_replica_whose_health_path_fails_gets_nothing_until_it_succeeds() {
    let replicas = [Replica::start(), Replica::start()];
    let mut probe = Probe::http("/health").unwrap();
    probe.interval = std::time::Duration::from_millis(20);
    let addresses = replicas.iter().map(|replica| replica.address);
    let running = Running::start(Balancer::builder().upstreams(addresses).probe(probe)).await;
    let name = replicas[0].address.to_string();
    let endpoint = || running.status.snapshot().endpoint(&name).unwrap().clone();
    replicas[0].answer_with(503);
    eventually("the probe takes it out", || endpoint().state == EndpointState::Unhealthy).await;
    assert!(endpoint().reason.contains("GET /health answered 503"), "{}", endpoint().reason);
    let before = endpoint().requests;
    let mut client = Client::new(running.address);
    for number in 0..10 {
        assert_eq!(client.post(number.to_string()).await.unwrap().status(), 200);
    }
    assert_eq!(endpoint().requests, before);
    replicas[0].answer_with(200);
    eventually("the probe lets it back in", || endpoint().state == EndpointState::Ready).await;
    running.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_a_clear_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = Balancer::builder().listen(address).bind().await.unwrap_err();
    let told = format!("{error}: {}", error.source().unwrap());
    assert!(told.contains(&address.to_string()) && told.contains("choose another port"), "{told}");
}
