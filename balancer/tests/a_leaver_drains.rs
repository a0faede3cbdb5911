//! A drained endpoint gets no new requests, and answers those that it has.

mod script;

use std::time::Duration;

use martello_balancer::{Balance, BalanceError, EndpointState, policy::RoundRobin};
use script::{Act, ask, endpoint};

#[tokio::test(start_paused = true)]
async fn a_drained_endpoint_gets_no_new_requests_and_answers_what_it_has() {
    let slow = |index| endpoint(index, |_| Act::AnswerAfter(Duration::from_secs(1)));
    let ((leaving, reached), (staying, _)) = (slow(0), slow(1));
    let balance = Balance::new(RoundRobin, [("leaving", leaving), ("staying", staying)]);
    let held = tokio::spawn({
        let balance = balance.clone();
        async move { ask(&balance, 1).await }
    });
    tokio::task::yield_now().await;

    let drained = tokio::spawn(balance.endpoints().drain("leaving"));
    for number in 2..12 {
        let balance = balance.clone();
        tokio::spawn(async move { ask(&balance, number).await });
    }
    tokio::task::yield_now().await;
    let draining = balance.snapshot().endpoint("leaving").unwrap().clone();
    assert_eq!((draining.state, draining.in_flight), (EndpointState::Draining, 1));
    assert!(!drained.is_finished());

    assert_eq!(held.await.unwrap(), Ok((0, 1)));
    drained.await.unwrap();
    assert_eq!(reached.count(), 1);
    assert!(balance.snapshot().endpoint("leaving").is_none(), "it is forgotten when it is done");
}

#[tokio::test(start_paused = true)]
async fn without_endpoints_the_error_says_why() {
    let balance = Balance::new(RoundRobin, [("only", endpoint(0, |_| Act::Answer).0)]);
    assert!(balance.endpoints().remove("only"));
    assert!(!balance.endpoints().remove("only"));
    let error = ask(&balance, 1).await.unwrap_err();
    assert!(matches!(error, BalanceError::NoEndpoint(_)));
    assert!(error.to_string().contains("no endpoint is known"), "{error}");
    assert_eq!(balance.snapshot().no_endpoint, 1);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_may_come_back_while_its_old_self_drains() {
    let (old, _) = endpoint(0, |_| Act::AnswerAfter(Duration::from_secs(1)));
    let balance = Balance::new(RoundRobin, [("a", old)]);
    let held = tokio::spawn({
        let balance = balance.clone();
        async move { ask(&balance, 1).await }
    });
    tokio::task::yield_now().await;
    let drained = tokio::spawn(balance.endpoints().drain("a"));
    tokio::task::yield_now().await;
    assert!(balance.endpoints().add("a", endpoint(1, |_| Act::Answer).0));
    assert_eq!(ask(&balance, 2).await, Ok((1, 2)));
    assert_eq!(held.await.unwrap(), Ok((0, 1)));
    drained.await.unwrap();
    assert_eq!(balance.endpoints().names(), ["a"]);
}
