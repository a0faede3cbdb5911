//! An endpoint that fails again and again gets no requests for a while, and returns when it works again.

mod script;

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use martello_balancer::{Balance, EndpointState, OutlierDetection, Plain, Repeatable, policy::RoundRobin};
use script::{Act, Endpoint, Reached, ask, endpoint};

type Scripted<C> = Balance<Endpoint, RoundRobin, C>;

/// An endpoint that works while the switch is on.
fn switched(index: usize) -> (Endpoint, Reached, Arc<AtomicBool>) {
    let works = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&works);
    let (endpoint, reached) =
        endpoint(index, move |_| if works.load(Ordering::SeqCst) { Act::Answer } else { Act::Fail });
    (endpoint, reached, switch)
}

fn state<C>(balance: &Scripted<C>, name: &str) -> EndpointState {
    balance.snapshot().endpoint(name).expect("it is a member").state
}

async fn ask_times(balance: &Scripted<Repeatable>, times: u64) {
    for number in 0..times {
        ask(balance, number).await.expect("one endpoint works");
    }
}

#[tokio::test(start_paused = true)]
async fn five_failures_in_a_row_eject_and_a_success_on_trial_readmits() {
    let ((bad, reached, works), (good, ..)) = (switched(0), switched(1));
    let balance = Balance::builder().protocol(Repeatable).build(RoundRobin, [("bad", bad), ("good", good)]);
    works.store(false, Ordering::SeqCst);
    ask_times(&balance, 8).await;
    assert_eq!(state(&balance, "bad"), EndpointState::Ready, "four failures are not enough");
    ask_times(&balance, 2).await;
    let snapshot = balance.snapshot();
    let bad = snapshot.endpoint("bad").unwrap();
    assert_eq!((bad.state, bad.failures, bad.ejections), (EndpointState::Ejected, 5, 1));
    assert!(bad.reason.contains("5 failures in a row"), "{}", bad.reason);

    ask_times(&balance, 20).await;
    assert_eq!(reached.count(), 5, "an ejected endpoint gets nothing");

    // Its second is over, but it still fails: one request finds out, and it is out for two.
    tokio::time::advance(Duration::from_millis(1_001)).await;
    ask_times(&balance, 10).await;
    assert_eq!(reached.count(), 6);
    assert_eq!(state(&balance, "bad"), EndpointState::Ejected);
    works.store(true, Ordering::SeqCst);
    tokio::time::advance(Duration::from_millis(1_001)).await;
    ask_times(&balance, 10).await;
    assert_eq!(reached.count(), 6, "the second ejection lasts twice as long");
    tokio::time::advance(Duration::from_millis(1_001)).await;
    ask_times(&balance, 10).await;
    assert_eq!(state(&balance, "bad"), EndpointState::Ready);
    assert!(reached.count() > 10);
}

#[tokio::test(start_paused = true)]
async fn a_trial_is_one_request_and_an_abandoned_one_is_given_again() {
    let mut outliers = OutlierDetection::default();
    outliers.consecutive_failures = NonZeroU32::MIN;
    let (hanging, reached) = endpoint(0, |n| if n == 0 { Act::Fail } else { Act::NeverAnswer });
    let balance = Balance::builder()
        .protocol(Repeatable)
        .outlier_detection(outliers)
        .build(RoundRobin, [("hanging", hanging), ("good", endpoint(1, |_| Act::Answer).0)]);
    ask_times(&balance, 2).await;
    assert_eq!(state(&balance, "hanging"), EndpointState::Ejected);
    tokio::time::advance(Duration::from_millis(1_001)).await;
    let trial = tokio::spawn({
        let balance = balance.clone();
        async move { ask(&balance, 7).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(state(&balance, "hanging"), EndpointState::OnTrial);
    ask_times(&balance, 10).await;
    assert_eq!(reached.count(), 2, "one request is on trial, and no other");
    trial.abort();
    assert!(trial.await.unwrap_err().is_cancelled());
    assert_eq!(state(&balance, "hanging"), EndpointState::Ejected);
    assert_eq!(balance.snapshot().endpoint("hanging").unwrap().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn at_most_half_of_the_endpoints_are_ejected_for_their_answers() {
    let act = |index| move |_| if index == 3 { Act::Answer } else { Act::Fail };
    let endpoints = (0..4).map(|index| (index.to_string(), endpoint(index, act(index)).0));
    let balance = Balance::builder().protocol(Plain).build(RoundRobin, endpoints);
    let mut failed = 0;
    for number in 0..200 {
        failed += usize::from(ask(&balance, number).await.is_err());
    }
    let snapshot = balance.snapshot();
    let ejected = snapshot.endpoints.iter().filter(|endpoint| endpoint.state == EndpointState::Ejected);
    assert_eq!(ejected.count(), 2);
    assert!(failed > 50 && !snapshot.panic, "a third one is kept in, and goes on failing");
}

#[tokio::test(start_paused = true)]
async fn one_whose_requests_others_answer_is_ejected_whatever_the_ceiling() {
    let act = |index| move |_| if index == 3 { Act::Answer } else { Act::Fail };
    let endpoints = (0..4).map(|index| (index.to_string(), endpoint(index, act(index)).0));
    let balance = Balance::builder().protocol(Repeatable).build(RoundRobin, endpoints);
    for number in 0..100 {
        assert!(ask(&balance, number).await.is_ok());
    }
    let snapshot = balance.snapshot();
    let ready: Vec<_> = snapshot.endpoints.iter().filter(|one| one.state == EndpointState::Ready).collect();
    assert_eq!(ready.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["3"]);
    assert!(snapshot.endpoints.iter().any(|one| one.reason.contains("another endpoint then answered")));
}

#[tokio::test(start_paused = true)]
async fn when_every_one_fails_none_is_kept_from_being_tried() {
    let parts: Vec<_> = (0..4).map(switched).collect();
    let named = parts.iter().enumerate().map(|(index, (endpoint, ..))| (index.to_string(), endpoint.clone()));
    let balance = Balance::builder().protocol(Plain).build(RoundRobin, named);
    parts.iter().for_each(|(_, _, works)| works.store(false, Ordering::SeqCst));
    for number in 0..100 {
        assert!(ask(&balance, number).await.is_err());
    }
    assert!(balance.snapshot().panic, "the ceiling keeps nobody in when nobody works");
    parts[0].2.store(true, Ordering::SeqCst);
    let mut answered = 0;
    for number in 0..4 {
        answered += usize::from(ask(&balance, number).await.is_ok());
    }
    assert!(answered > 0, "the one that works again is found within one round");
}

#[tokio::test(start_paused = true)]
async fn what_all_of_them_failed_at_may_have_been_what_they_were_asked() {
    let parts: Vec<_> = (0..4).map(switched).collect();
    let named = parts.iter().enumerate().map(|(index, (endpoint, ..))| (index.to_string(), endpoint.clone()));
    let balance = Balance::builder().protocol(Plain).build(RoundRobin, named);
    parts.iter().for_each(|(_, _, works)| works.store(false, Ordering::SeqCst));
    for number in 0..100 {
        assert!(ask(&balance, number).await.is_err());
    }
    parts.iter().for_each(|(_, _, works)| works.store(true, Ordering::SeqCst));
    for number in 0..4 {
        assert!(ask(&balance, number).await.is_ok());
    }
    let snapshot = balance.snapshot();
    assert!(snapshot.endpoints.iter().all(|one| one.state == EndpointState::Ready), "each was tried at once");
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_now_and_then_stands_out_from_the_others() {
    let act = |index| {
        move |number: u64| if index == 0 && number.is_multiple_of(2) { Act::Fail } else { Act::Answer }
    };
    let endpoints = (0..3).map(|index| (index.to_string(), endpoint(index, act(index)).0));
    let balance = Balance::builder().protocol(Plain).build(RoundRobin, endpoints);
    for number in 0..600 {
        tokio::time::advance(Duration::from_millis(10)).await;
        let _half_of_a_third_fail = ask(&balance, number).await;
    }
    let snapshot = balance.snapshot();
    let first = snapshot.endpoint("0").unwrap();
    assert_eq!(first.state, EndpointState::Ejected);
    assert!(first.reason.contains("% of its answers were right"), "{}", first.reason);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_began_before_a_trial_does_not_count_against_it() {
    const MS: Duration = Duration::from_millis(1);
    let (slow, reached) = endpoint(0, |number| match number {
        0..5 => Act::FailAfter(500 * MS),
        5 => Act::FailAfter(2_000 * MS),
        _ => Act::AnswerAfter(1_000 * MS),
    });
    let good = endpoint(1, |_| Act::Answer).0;
    let balance = Balance::builder().protocol(Plain).build(RoundRobin, [("slow", slow), ("good", good)]);
    let start = |number| {
        let balance = balance.clone();
        tokio::spawn(async move { ask(&balance, number).await.is_ok() })
    };
    let early: Vec<_> = (0..12).map(start).collect();
    tokio::time::sleep(600 * MS).await;
    assert_eq!((state(&balance, "slow"), reached.count()), (EndpointState::Ejected, 6));
    tokio::time::sleep(1_000 * MS).await;
    let trial = start(12);
    tokio::time::sleep(300 * MS).await;
    assert_eq!(state(&balance, "slow"), EndpointState::OnTrial);
    // Now the last of the early ones fails.
    tokio::time::sleep(300 * MS).await;
    assert_eq!(early.iter().filter(|one| one.is_finished()).count(), 12);
    assert_eq!(state(&balance, "slow"), EndpointState::OnTrial);
    assert!(trial.await.unwrap(), "the trial's own outcome decides");
    assert_eq!(state(&balance, "slow"), EndpointState::Ready);
}

#[tokio::test(start_paused = true)]
async fn when_all_are_out_all_are_used_and_the_snapshot_says_so() {
    let mut outliers = OutlierDetection::default();
    outliers.ceiling_percent = 100;
    let parts: Vec<_> = (0..2).map(switched).collect();
    let named =
        parts.iter().map(|(endpoint, ..)| endpoint.clone()).zip(["a", "b"]).map(|(e, name)| (name, e));
    let balance = Balance::builder().protocol(Plain).outlier_detection(outliers).build(RoundRobin, named);
    parts.iter().for_each(|(_, _, works)| works.store(false, Ordering::SeqCst));
    for number in 0..10 {
        assert!(ask(&balance, number).await.is_err());
    }
    assert!(balance.snapshot().panic);
    let before = parts[0].1.count();
    assert!(ask(&balance, 0).await.is_err() && ask(&balance, 0).await.is_err());
    assert_eq!(parts[0].1.count(), before + 1, "panic mode uses all");

    parts[0].2.store(true, Ordering::SeqCst);
    assert_eq!((ask(&balance, 0).await.is_ok(), ask(&balance, 0).await.is_ok()), (true, true));
    let snapshot = balance.snapshot();
    assert!(!snapshot.panic, "the first success ends the panic");
    assert_eq!(snapshot.endpoint("a").unwrap().state, EndpointState::Ready);
    assert_eq!(snapshot.endpoint("b").unwrap().state, EndpointState::Ejected);
}
