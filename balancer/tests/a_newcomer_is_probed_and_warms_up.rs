//! A replica that joins gets nothing before its health probe succeeds, and then a share that grows.

mod replica;
mod script;

use std::time::Duration;

use martello_balancer::{Balance, Balancer, EndpointState, Probe, Repeatable, policy::RoundRobin};
use replica::{Client, Replica, Running, eventually};
use script::{Act, ask, endpoint};

#[tokio::test]
async fn a_newcomer_gets_nothing_before_its_probe_succeeds() {
    let (first, newcomer) = (Replica::start(), Replica::start());
    newcomer.answer_with(503);
    let mut probe = Probe::http("/health").unwrap();
    probe.interval = Duration::from_millis(20);
    let running = Running::start(Balancer::builder().upstream(first.address).probe(probe)).await;
    let state = |replica: &Replica| {
        running.status.snapshot().endpoint(&replica.address.to_string()).expect("it is a member").state
    };
    eventually("the first is in", || state(&first) == EndpointState::Ready).await;
    assert!(running.replicas.add(newcomer.address));
    assert_eq!(state(&newcomer), EndpointState::Joining);
    let mut client = Client::new(running.address);
    for number in 0..20 {
        assert_eq!(client.post(number.to_string()).await.unwrap().status(), 200);
    }
    eventually("its probe has failed", || state(&newcomer) == EndpointState::Unhealthy).await;
    let requests = || {
        let snapshot = running.status.snapshot();
        snapshot.endpoint(&newcomer.address.to_string()).expect("it is a member").requests
    };
    assert_eq!(requests(), 0);
    newcomer.answer_with(200);
    eventually("its probe succeeds", || state(&newcomer) == EndpointState::Ready).await;
    for number in 0..20 {
        assert_eq!(client.post(number.to_string()).await.unwrap().status(), 200);
    }
    assert!(requests() > 0);
    running.stop().await;
}

#[tokio::test]
async fn replicas_of_which_none_is_probed_yet_are_used() {
    let replica = Replica::start();
    let mut probe = Probe::http("/health").unwrap();
    probe.interval = Duration::from_secs(3_600);
    let running = Running::start(Balancer::builder().upstream(replica.address).probe(probe)).await;
    let answer = Client::new(running.address).post("at once".into()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!running.status.snapshot().panic);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_share_of_a_newcomer_grows_and_that_of_the_first_ones_is_whole() {
    let lasts = Duration::from_secs(4);
    let parts: Vec<_> = (0..4).map(|index| endpoint(index, |_| Act::Answer)).collect();
    let named = ["a", "b", "c"].into_iter().zip(parts.iter().map(|(endpoint, _)| endpoint.clone()));
    let balance = Balance::builder().protocol(Repeatable).slow_start(lasts).build(RoundRobin, named);
    for number in 0..30 {
        ask(&balance, number).await.unwrap();
    }
    assert_eq!([0, 1, 2].map(|index: usize| parts[index].1.count()), [10, 10, 10], "all began together");
    tokio::time::advance(lasts).await;
    balance.endpoints().add("d", parts[3].0.clone());
    let mut shares = Vec::new();
    for _second in 0..5 {
        let before = parts[3].1.count();
        for number in 0..4_000 {
            ask(&balance, number).await.unwrap();
        }
        shares.push(parts[3].1.count() - before);
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    for (share, expected) in shares.iter().zip([100, 250, 500, 750, 1_000]) {
        assert!(share.abs_diff(expected) <= expected / 4, "{shares:?}");
    }
    assert_eq!(shares[4], 1_000, "then turns are even again");
}
