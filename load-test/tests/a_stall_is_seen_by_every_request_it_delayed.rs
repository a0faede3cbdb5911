//! Coordinated omission (Gil Tene): shown in a closed loop, avoided in an open one.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use martello_load_test::{Arrivals, Limits, Plan, PlanBuilder, Report, ThinkTime};
use server::{Reply, Server};
use tokio::time::Instant;

mod server;

const RUN: Duration = Duration::from_secs(2);
const STALL: Duration = Duration::from_millis(500);
/// Far above an answer at once, far below the stall.
const SLOW: Duration = Duration::from_millis(100);

/// Answers at once, except that it stands still for [`STALL`] beginning half a second after its first request.
async fn stalling_server() -> Server {
    let first: Arc<OnceLock<Instant>> = Arc::default();
    Server::start(move |_| {
        let first = *first.get_or_init(Instant::now);
        let (begin, end) = (first + STALL, first + 2 * STALL);
        let now = Instant::now();
        let wait = if now >= begin { end.saturating_duration_since(now) } else { Duration::ZERO };
        Reply::after(wait, "{}")
    })
    .await
}

async fn measure(load: impl FnOnce(PlanBuilder) -> PlanBuilder) -> (Report, Server) {
    let server = stalling_server().await;
    let report = load(Plan::builder(&server.url)).run_time(RUN).build().unwrap().run(|_| ()).await.unwrap();
    assert_eq!(report.failures(), 0, "{report}");
    assert!(report.latency().max() >= STALL - SLOW, "{report}");
    (report, server)
}

fn slow_share(report: &Report) -> f64 {
    1.0 - report.latency().share_within(SLOW)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_loop_stops_asking_and_hides_the_stall() {
    let (report, _) = measure(|plan| plan.users(1).think_time(ThinkTime::constant(0.004))).await;
    assert!(report.requests() >= 100, "{report}");
    assert!(slow_share(&report) < 0.02, "{report}");
    assert!(report.latency().percentile(97.0) < SLOW, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_loop_counts_the_wait_from_the_intended_start() {
    // One connection: the server itself sees a single slow request, as it does in the closed loop.
    let limits = Limits { max_connections: 1, ..Limits::default() };
    let arrivals = Arrivals::constant(200.0);
    let (report, server) = measure(|plan| plan.arrivals(arrivals).limits(limits)).await;
    let slow_at_the_server = server.seen.service_times().iter().filter(|time| **time > SLOW).count();
    assert_eq!(slow_at_the_server, 1);
    assert_eq!(report.requests(), 400, "{report}");
    // Requests meant for the first 400 of the 500 ms waited longer than 100 ms: 80 of 400. More were slow if this
    // machine was, but never fewer.
    let slow = slow_share(&report);
    assert!((0.18..0.4).contains(&slow), "{slow}\n{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_connections_do_not_hide_it_either() {
    let (report, _) = measure(|plan| plan.arrivals(Arrivals::constant(200.0))).await;
    let slow = slow_share(&report);
    assert!((0.18..0.4).contains(&slow), "{slow}\n{report}");
}
