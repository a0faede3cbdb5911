//! N = X·(Z + R): what a closed loop measures accounts for every one of its users.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::time::Duration;

use martello_load_test::{Plan, Report, Step, StepReport, ThinkTime};
use server::{Reply, Server};

mod server;

/// Within 2 %, or within what the ends of the step can add and take away. A request counts as a whole where it ends: one that
/// began before the step adds what lay before, for each user of this step or of a larger one before it, who leaves after the
/// answer; one that ends after the step is missing. On a busy machine such a request may be the longest of all.
fn obeys(step: &StepReport, users_before: usize, report: &Report) {
    let (expected, found) = (step.users() as f64, step.users_by_littles_law());
    let statistics = step.statistics();
    let usual = Duration::from_secs_f64(found / step.requests_per_second());
    let longest = usual + statistics.lateness().max() + statistics.latency().max();
    let cut = step.users().max(users_before) as f64 * longest.as_secs_f64();
    let tolerance = (cut / (expected * step.held().as_secs_f64())).max(0.02);
    assert!(
        (found / expected - 1.0).abs() < tolerance,
        "{found} users instead of {expected}, within {tolerance:.3}\n{report}"
    );
}

async fn check(think_time: ThinkTime) {
    let server = Server::start(|_| Reply::after(Duration::from_millis(20), "{}")).await;
    let plan = Plan::builder(&server.url)
        .steps([Step::new(200, 2000.0).lasting(Duration::from_secs(3))])
        .think_time(think_time)
        .build()
        .unwrap();
    let report = plan.run(|_| ()).await.unwrap();
    assert_eq!(report.failures(), 0, "{report}");
    let [step] = report.steps() else { panic!("one step: {report}") };
    assert_eq!(step.users(), 200);
    obeys(step, 0, &report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_every_kind_of_think_time() {
    check(ThinkTime::uniform(0.05, 0.15)).await;
    check(ThinkTime::constant(0.1)).await;
    check(ThinkTime::exponential(0.1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_every_step_of_a_staircase_up_and_down() {
    let server = Server::start(|_| Reply::after(Duration::from_millis(10), "{}")).await;
    let steps = [50, 150, 100].map(|users| Step::new(users, 1000.0).lasting(Duration::from_secs(4)));
    let plan =
        Plan::builder(&server.url).steps(steps).think_time(ThinkTime::uniform(0.02, 0.04)).build().unwrap();
    let report = plan.run(|_| ()).await.unwrap();
    assert_eq!(report.failures(), 0, "{report}");
    let users: Vec<usize> = report.steps().iter().map(|step| step.users()).collect();
    assert_eq!(users, [50, 150, 100]);
    for (step, users_before) in report.steps().iter().zip([0, 50, 150]) {
        obeys(step, users_before, &report);
    }
}
