//! Graceful ends: by plan, by somebody who stops it, by dropping it; nothing in flight is forgotten.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::time::Duration;

use martello_load_test::{Arrivals, FailureKind, Limits, Plan, PlanBuilder, ThinkTime, Verdict};
use server::{Reply, Server};
use tokio::sync::oneshot;

mod server;

fn users(url: &str) -> PlanBuilder {
    Plan::builder(url).users(20).run_time(Duration::from_millis(300)).think_time(ThinkTime::constant(0.01))
}

#[tokio::test]
async fn by_plan_after_the_requests_in_flight_were_answered() {
    let server = Server::start(|_| Reply::after(Duration::from_millis(80), "{}")).await;
    let report = users(&server.url).build().unwrap().run(|_| ()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Pass, "{report}");
    assert_eq!((report.requests(), report.failures()), (server.seen.requests(), 0));
    assert!(!report.stopped_early());
}

#[tokio::test]
async fn by_somebody_who_stops_it_with_a_report_of_what_was_measured() {
    let server = Server::start(|_| Reply::ok("{}")).await;
    let plan = users(&server.url).until_stopped().build().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let mut stop = Some(stop);
    let on_tick = |_: &_| drop(stop.take());
    let report = plan.run_until(async { drop(stopped.await) }, on_tick).await.unwrap();
    assert!(report.stopped_early() && report.requests() > 0, "{report}");
    assert_eq!((report.requests(), report.failures()), (server.seen.requests(), 0));
    let seconds: Vec<u64> = report.history().map(|tick| tick.requests).collect();
    assert_eq!(seconds.iter().sum::<u64>(), report.requests());
    assert!(report.to_string().contains("stopped early"), "{report}");
}

#[tokio::test]
async fn by_dropping_it_which_closes_every_connection() {
    let server = Server::start(|_| Reply::ok("{}")).await;
    let plan = users(&server.url).until_stopped().build().unwrap();
    let first_tick = {
        let (sender, receiver) = oneshot::channel::<()>();
        let mut sender = Some(sender);
        let run = plan.run(move |_| drop(sender.take()));
        tokio::select! {
            _ = run => panic!("the run has no end of its own"),
            _ = receiver => server.seen.open_connections(),
        }
    };
    assert_eq!(first_tick, 20);
    let all_closed = async {
        while server.seen.open_connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all_closed).await.expect("connections close");
}

#[tokio::test]
async fn requests_that_are_never_answered_are_failures_and_not_forgotten() {
    let server = Server::start(|_| Reply::Nothing).await;
    let limits = Limits { stop_grace: Duration::from_millis(100), ..Limits::default() };
    let report = users(&server.url).limits(limits.clone()).build().unwrap().run(|_| ()).await.unwrap();
    assert_eq!(report.statistics().failures_by_kind(), [(FailureKind::Unanswered, 20)].into(), "{report}");
    assert_eq!(report.verdict(), Verdict::Fail);

    let limits = Limits { max_connections: 5, ..limits };
    let open = users(&server.url).arrivals(Arrivals::constant(100.0)).limits(limits);
    let report = open.build().unwrap().run(|_| ()).await.unwrap();
    assert_eq!(report.statistics().failures_by_kind(), [(FailureKind::Unanswered, 30)].into(), "{report}");
}

#[tokio::test]
async fn a_generator_that_is_late_makes_the_run_invalid() {
    let server = Server::start(|_| Reply::ok("{}")).await;
    let limits = Limits { max_lateness: Duration::ZERO, ..Limits::default() };
    let report = users(&server.url).limits(limits).build().unwrap().run(|_| ()).await.unwrap();
    assert_eq!((report.verdict(), report.failures()), (Verdict::Invalid, 0), "{report}");
    assert!(report.to_string().contains("says nothing about the server: the generator was late"), "{report}");
}
