//! More requests than the limits allow are answered with 503 and its reason at once; the others are served.

mod replica;

use std::time::Duration;

use martello_balancer::{AdmissionLimits, Balancer};
use replica::{Client, Replica, Running, eventually};

#[tokio::test]
async fn what_finds_no_place_and_no_room_in_the_line_is_refused_with_a_reason() {
    let replica = Replica::start();
    replica.answer_slowly(Duration::from_millis(300));
    let limits = AdmissionLimits {
        in_flight: 2,
        queue: 1,
        wait: Duration::from_secs(10),
        ..AdmissionLimits::default()
    };
    let running = Running::start(Balancer::builder().upstream(replica.address).admission(limits)).await;
    let address = running.address;
    let ask = || tokio::spawn(async move { Client::new(address).post("x".into()).await });
    let admitted = [ask(), ask(), ask()];
    let counts = || running.status.snapshot().admission.expect("a balancer has limits");
    eventually("two are under way and one waits", || (counts().in_flight, counts().waiting) == (2, 1)).await;
    let refused = Client::new(address).post("one too many".into()).await.unwrap();
    let told: serde_json::Value = serde_json::from_slice(refused.body()).unwrap();
    assert_eq!((refused.status().as_u16(), &told["reason"]), (503, &"overloaded".into()));
    assert!(refused.headers().contains_key("retry-after"));
    let metrics = Client::new(address).get("/metrics").await;
    assert_eq!(metrics.status(), 200, "the balancer's own pages are shown whatever the load");
    let metrics = String::from_utf8(metrics.body().to_vec()).unwrap();
    assert!(metrics.lines().any(|line| line == "martello_balancer_refused_total 1"), "{metrics}");
    for asked in admitted {
        assert_eq!(asked.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!((counts().in_flight, counts().waiting, counts().refused), (0, 0, 1));
    running.stop().await;
}

#[tokio::test]
async fn waiting_ends_with_a_reason_too() {
    let replica = Replica::start();
    replica.fall_silent();
    let limits = AdmissionLimits {
        in_flight: 1,
        queue: 8,
        wait: Duration::from_millis(50),
        ..AdmissionLimits::default()
    };
    let running = Running::start(Balancer::builder().upstream(replica.address).admission(limits)).await;
    let address = running.address;
    let held = tokio::spawn(async move { Client::new(address).post("held".into()).await });
    let counts = || running.status.snapshot().admission.expect("a balancer has limits");
    eventually("one is under way", || counts().in_flight == 1).await;
    let answer = Client::new(address).post("waits".into()).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!((counts().expired, counts().waiting), (1, 0));
    held.abort();
    eventually("who goes away gives the place back", || counts().in_flight == 0).await;
    running.stop().await;
}
