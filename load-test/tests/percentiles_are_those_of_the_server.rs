//! What the report calls a percentile is what the server really did.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::time::Duration;

use martello_load_test::{Arrivals, Plan, PlanBuilder, Report, ThinkTime};
use server::{Reply, Server};

mod server;

/// 90 % of the answers take 10 ms, 8 % take 60 ms, 2 % take 200 ms.
fn scripted(number: u64) -> Duration {
    Duration::from_millis(match number % 100 {
        ..=89 => 10,
        90..=97 => 60,
        _ => 200,
    })
}

async fn measure(load: impl FnOnce(PlanBuilder) -> PlanBuilder) -> (Report, Vec<Duration>) {
    let server = Server::start(|request| Reply::after(scripted(request.number), "{}")).await;
    let plan = load(Plan::builder(&server.url)).run_time(Duration::from_secs(2)).build().unwrap();
    let report = plan.run(|_| ()).await.unwrap();
    assert_eq!(report.failures(), 0, "{report}");
    (report, server.seen.service_times())
}

/// A request takes at least as long as its server took for it, and no request can look faster than
/// the histogram's error of 0.1 %; upwards it stays clear of the next class of delays.
fn compare(report: &Report, served: &[Duration]) {
    assert_eq!(report.requests(), served.len() as u64);
    let latency = report.latency();
    for (percent, next_class) in [(50.0, 60), (89.0, 60), (95.0, 200), (99.5, 1000)] {
        let rank = (percent / 100.0 * served.len() as f64).ceil() as usize;
        let (found, exact) = (latency.percentile(percent), served[rank - 1]);
        assert!(found >= exact.mul_f64(0.999), "p{percent}: {found:?}, but the server took {exact:?}");
        assert!(found < Duration::from_millis(next_class), "p{percent}: {found:?}\n{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_closed_loop() {
    let (report, served) =
        measure(|plan| plan.users(40).spawn_rate(400.0).think_time(ThinkTime::constant(0.02))).await;
    compare(&report, &served);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_an_open_loop() {
    let (report, served) = measure(|plan| plan.arrivals(Arrivals::poisson(400.0))).await;
    compare(&report, &served);
}
