//! Every request is answered exactly once, with its own answer, whatever the endpoints do.

mod script;

use std::{sync::Arc, time::Duration};

use martello_balancer::{
    Balance, BalanceError, Endpoints, Repeatable,
    policy::{Policy, PolicyKind},
};
use proptest::prelude::*;
use script::{Act, Endpoint, Reached, ask, endpoint};

fn act() -> impl Strategy<Value = Act> {
    let wait = || (0_u64..200).prop_map(Duration::from_millis);
    prop_oneof![
        4 => Just(Act::Answer),
        3 => wait().prop_map(Act::AnswerAfter),
        2 => Just(Act::Fail),
        2 => wait().prop_map(Act::FailAfter),
    ]
}

/// What happens to the set of endpoints while requests run.
#[derive(Debug, Clone)]
enum Change {
    Add,
    Drain(usize),
    Remove(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::Add),
        (0_usize..6).prop_map(Change::Drain),
        (0_usize..6).prop_map(Change::Remove),
    ]
}

#[derive(Debug, Clone)]
struct Scenario {
    policy: PolicyKind,
    scripts: Vec<Vec<Act>>,
    requests: Vec<u64>,
    changes: Vec<(u64, Change)>,
}

fn scenario() -> impl Strategy<Value = Scenario> {
    (
        prop::sample::select(PolicyKind::ALL.to_vec()),
        prop::collection::vec(prop::collection::vec(act(), 1..12), 1..6),
        prop::collection::vec(0_u64..500, 1..60),
        prop::collection::vec((0_u64..500, change()), 0..6),
    )
        .prop_map(|(policy, scripts, requests, changes)| Scenario { policy, scripts, requests, changes })
}

fn make(index: usize, script: Vec<Act>) -> (Endpoint, Reached) {
    endpoint(index, move |n| script[n as usize % script.len()])
}

async fn apply<P: Policy>(endpoints: Endpoints<Endpoint, P>, at: u64, change: Change) {
    tokio::time::sleep(Duration::from_millis(at)).await;
    match change {
        Change::Add => _ = endpoints.add("added", make(99, vec![Act::Answer]).0),
        Change::Drain(index) => endpoints.drain(&format!("e{index}")).await,
        Change::Remove(index) => _ = endpoints.remove(&format!("e{index}")),
    }
}

async fn run(scenario: Scenario) {
    let endpoints: Vec<(String, Endpoint, Reached)> = (0..)
        .zip(scenario.scripts)
        .map(|(index, script)| {
            let (endpoint, reached) = make(index, script);
            (format!("e{index}"), endpoint, reached)
        })
        .collect();
    let named = endpoints.iter().map(|(name, endpoint, _)| (name.as_str(), endpoint.clone()));
    let balance = Balance::builder().protocol(Repeatable).build(scenario.policy, named);

    let mut running = tokio::task::JoinSet::new();
    for (at, change) in scenario.changes {
        let handle = balance.endpoints();
        running.spawn(async move {
            apply(handle, at, change).await;
            None
        });
    }
    let asked = scenario.requests.len();
    for (number, at) in (0..).zip(scenario.requests) {
        let balance = balance.clone();
        running.spawn(async move {
            tokio::time::sleep(Duration::from_millis(at)).await;
            Some((number, ask(&balance, number).await))
        });
    }

    let mut answers = 0;
    while let Some(ended) = running.join_next().await {
        let Some((number, answer)) = ended.expect("no request panics") else { continue };
        answers += 1;
        match answer {
            Ok((_, echoed)) => assert_eq!(echoed, number, "a request got another one's answer"),
            Err(BalanceError::Endpoint(_) | BalanceError::Exhausted(_) | BalanceError::NoEndpoint(_)) => {}
            Err(error) => panic!("unexpected {error}"),
        }
    }
    assert_eq!(answers, asked);

    let snapshot = balance.snapshot();
    for endpoint in &snapshot.endpoints {
        assert_eq!(endpoint.in_flight, 0, "{} counts requests that are over", endpoint.name);
    }
    let reached: u64 = endpoints.iter().map(|(_, _, reached)| reached.count()).sum();
    assert!(reached <= 4 * asked as u64, "{reached} attempts for {asked} requests");
}

fn paused(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime starts")
        .block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn every_request_is_answered_exactly_once(scenario in scenario()) {
        paused(run(scenario));
    }

    #[test]
    fn no_request_fails_while_one_endpoint_works(
        policy in prop::sample::select(PolicyKind::ALL.to_vec()),
        scripts in prop::collection::vec(prop::collection::vec(act(), 1..12), 0..3),
        requests in prop::collection::vec(0_u64..500, 1..60),
    ) {
        paused(async move {
            let broken = (0..).zip(scripts).map(|(index, script)| (format!("e{index}"), make(index, script).0));
            let all = broken.chain([(String::from("sound"), make(9, vec![Act::Answer]).0)]);
            let balance = Arc::new(Balance::builder().protocol(Repeatable).build(policy, all));
            for (number, at) in (0..).zip(requests) {
                tokio::time::sleep(Duration::from_millis(at % 7)).await;
                let answer = ask(&balance, number).await;
                assert!(answer.is_ok(), "request {number}: {answer:?}");
            }
        });
    }
}
