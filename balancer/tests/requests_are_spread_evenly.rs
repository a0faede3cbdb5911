//! Round robin gives ready endpoints turns that never differ by more than one.

mod script;

use std::{num::NonZeroU16, time::Duration};

use martello_balancer::{Balance, policy::RoundRobin};
use proptest::prelude::*;
use script::{Act, Endpoint, ask, endpoint};

fn named(count: usize, act: Act) -> Vec<(String, Endpoint)> {
    (0..count).map(|index| (index.to_string(), endpoint(index, move |_| act).0)).collect()
}

fn spread(balance: &Balance<Endpoint, RoundRobin>) -> u64 {
    let snapshot = balance.snapshot();
    let requests = || snapshot.endpoints.iter().map(|endpoint| endpoint.requests);
    requests().max().unwrap_or(0) - requests().min().unwrap_or(0)
}

proptest! {
    #[test]
    fn turns_never_differ_by_more_than_one(endpoints in 1_usize..10, requests in 1_u64..200, millis in 0_u64..50) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let balance = Balance::new(RoundRobin, named(endpoints, Act::AnswerAfter(Duration::from_millis(millis))));
            let mut running = tokio::task::JoinSet::new();
            for number in 0..requests {
                let asking = balance.clone();
                running.spawn(async move { ask(&asking, number).await });
                tokio::task::yield_now().await;
                assert!(spread(&balance) <= 1);
            }
            while let Some(answer) = running.join_next().await {
                assert!(answer.unwrap().is_ok());
            }
            assert!(spread(&balance) <= 1);
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_keep_the_spread_even() {
    let balance = Balance::new(RoundRobin, named(3, Act::Answer));
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let balance = balance.clone();
        running.spawn(async move {
            for number in 0..1_000 {
                assert!(ask(&balance, number).await.is_ok());
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    let requests: Vec<u64> = balance.snapshot().endpoints.iter().map(|endpoint| endpoint.requests).collect();
    assert_eq!(requests.iter().sum::<u64>(), 8_000);
    assert!(spread(&balance) <= 1, "{requests:?}");
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_gets_its_share_at_once_and_weights_are_kept() {
    let balance = Balance::new(RoundRobin, named(2, Act::Answer));
    for number in 0..10 {
        ask(&balance, number).await.unwrap();
    }
    let weight = NonZeroU16::new(2).unwrap();
    assert!(balance.endpoints().add_weighted("2", weight, endpoint(2, |_| Act::Answer).0));
    assert!(!balance.endpoints().add("2", endpoint(2, |_| Act::Answer).0), "it is in already");
    for number in 0..40 {
        ask(&balance, number).await.unwrap();
    }
    let requests: Vec<u64> = balance.snapshot().endpoints.iter().map(|endpoint| endpoint.requests).collect();
    assert_eq!(requests, [15, 15, 20]);
}
