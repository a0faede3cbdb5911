//! A replica that is frozen, and one that takes requests and never answers: no request fails, none waits long, the
//! others go on, and it has its share again once it is back.

mod replica;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use martello_balancer::{Balancer, EndpointState, OutlierDetection, Probe, TryTimeout};
use replica::{
    Client, Replica, Running, closed_loop, eventually,
    process::{self, processes},
    total,
};

/// One attempt that is given up, and the rest for a machine that has other things to do: a third of what the
/// answer would wait for without that.
const BOUND: Duration = Duration::from_secs(10);

/// Not a test: what the processes below run.
#[tokio::test]
async fn serves_when_it_is_told_to_be_a_replica() {
    process::serve_if_told().await;
}

fn requests(running: &Running) -> u64 {
    running.status.snapshot().endpoints.iter().map(|endpoint| endpoint.requests).sum()
}

fn state(running: &Running, name: &str) -> EndpointState {
    running.status.snapshot().endpoint(name).expect("it is a member").state
}

#[expect(clippy::print_stdout, reason = "the figures are quoted")]
async fn check_freezing(clients: u64) {
    let (processes, running) = processes(3, Balancer::builder()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let load = closed_loop(running.address, clients, &stop);
    eventually("the load runs", || requests(&running) > 1_000).await;
    let name = processes[0].address.to_string();
    processes[0].freeze();
    eventually("it is ejected", || state(&running, &name) == EndpointState::Ejected).await;
    let after = requests(&running);
    eventually("the load goes on", || requests(&running) > after + 1_000).await;
    processes[0].thaw();
    eventually("it is back", || state(&running, &name) == EndpointState::Ready).await;
    stop.store(true, Ordering::Relaxed);
    let tally = total(load).await;
    println!("{clients} clients: {} answered, the slowest after {:?}", tally.answered, tally.slowest);
    assert_eq!(tally.failures, Vec::<String>::new(), "of {} requests", tally.answered);
    assert!(tally.slowest < BOUND, "{:?}", tally.slowest);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_replica_fails_no_request_and_returns_when_it_goes_on() {
    check_freezing(64).await;
    check_freezing(256).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_replica_whose_probe_succeeds_costs_no_request_and_little_time() {
    let replicas: Vec<Replica> = (0..3).map(|_| Replica::start()).collect();
    let builder = Balancer::builder().probe(Probe::http("/health").unwrap());
    let all = Running::start_ready(builder.upstreams(replicas.iter().map(|replica| replica.address))).await;
    let mut client = Client::new(all.address);
    for number in 0..6 {
        assert_eq!(client.post(number.to_string()).await.unwrap().status(), 200);
    }
    replicas[0].fall_silent();
    let silent = replicas[0].address.to_string();
    let ejections = || all.status.snapshot().endpoint(&silent).map_or(0, |endpoint| endpoint.ejections);
    let stop = Arc::new(AtomicBool::new(false));
    let load = closed_loop(all.address, 64, &stop);
    // Twice: it comes back for a trial, since its probe succeeds, and goes again.
    eventually("it is ejected a second time", || ejections() >= 2).await;
    stop.store(true, Ordering::Relaxed);
    let with_it = total(load).await;
    assert_eq!(with_it.failures, Vec::<String>::new());
    assert!(with_it.slowest < BOUND, "{:?}", with_it.slowest);
    assert!(replicas[0].reached() < 200, "{}", replicas[0].reached());
    all.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_repeated_is_waited_for() {
    let replicas = [Replica::start(), Replica::start()];
    replicas[0].answer_slowly(Duration::from_millis(300));
    let hasty = TryTimeout { floor: Duration::from_millis(50), multiple: 1 };
    let mut outliers = OutlierDetection::never();
    outliers.consecutive_timeouts = std::num::NonZeroU32::MIN;
    let builder = Balancer::builder().try_timeout(hasty).outlier_detection(outliers);
    let running =
        Running::start_ready(builder.upstreams(replicas.iter().map(|replica| replica.address))).await;
    let mut client = Client::new(running.address);
    // Its first answer, which is late, is what declares the path pure: before it, nobody knows.
    for number in 0..2 {
        assert_eq!(client.post(number.to_string()).await.unwrap().status(), 200);
    }
    let snapshot = running.status.snapshot();
    assert_eq!(snapshot.endpoints.iter().map(|endpoint| endpoint.retries).sum::<u64>(), 0);
    assert_eq!(snapshot.endpoints.iter().map(|endpoint| endpoint.failures).sum::<u64>(), 0);
    assert_eq!([replicas[0].reached(), replicas[1].reached()], [1, 1]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_for_health_is_told_within_five_seconds() {
    let replicas = [Replica::start(), Replica::start()];
    let running = Running::over(&replicas).await;
    replicas.iter().for_each(|replica| replica.answer_slowly(Duration::from_secs(20)));
    let began = Instant::now();
    let answer = Client::new(running.address).get("/health").await;
    let took = began.elapsed();
    assert_eq!(answer.status(), 503, "both have failed, and nobody else is there");
    assert!(answer.body().ends_with(br#""reason":"no-endpoint"}"#), "{:?}", answer.body());
    assert!((4.9..8.0).contains(&took.as_secs_f64()), "{took:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_with_a_timeout_of_its_own_is_not_waited_for_longer() {
    let replicas = [Replica::start(), Replica::start()];
    replicas.iter().for_each(|replica| replica.answer_slowly(Duration::from_millis(900)));
    let patient = TryTimeout::NEVER;
    let builder =
        Balancer::builder().timeouts_at([("/soon", Duration::from_millis(200))]).try_timeout(patient);
    let running =
        Running::start_ready(builder.upstreams(replicas.iter().map(|replica| replica.address))).await;
    let failures =
        || running.status.snapshot().endpoints.iter().map(|endpoint| endpoint.failures).sum::<u64>();
    let mut client = Client::new(running.address);
    for (path, status) in [("/sooner", 200), ("/soon?now", 504), ("/health", 200)] {
        assert_eq!(client.get(path).await.status(), status, "{path}");
    }
    assert_eq!(failures(), 1);
    replicas.iter().for_each(|replica| replica.answer_slowly(Duration::ZERO));
    assert_eq!(client.get("/soon").await.status(), 200);
    running.stop().await;
}
