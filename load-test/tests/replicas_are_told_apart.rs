//! Requests per replica, by the response header that names it, and whether the spread is even.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::time::Duration;

use martello_load_test::{Plan, PlanBuilder, Report, ThinkTime};
use server::{Reply, Server, response};

mod server;

async fn run(header: &'static str, replica: fn(u64) -> u64, plan: fn(PlanBuilder) -> PlanBuilder) -> Report {
    let server = Server::start(move |request| {
        let header = format!("{header}: 10.0.0.{}:8000\r\n", replica(request.number));
        Reply::Answer { after: Duration::ZERO, bytes: response("200 OK", &header, "{}") }
    })
    .await;
    let builder = Plan::builder(&server.url).users(20).run_time(Duration::from_millis(400));
    let plan = plan(builder.think_time(ThinkTime::constant(0.005))).build().unwrap();
    plan.run(|_| ()).await.unwrap()
}

#[tokio::test]
async fn an_even_spread_is_said_to_be_even() {
    let report = run("martello-endpoint", |number| number % 3, |plan| plan).await;
    let spread = report.spread().expect("answers name their replica");
    let names: Vec<&str> = spread.endpoints().iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["10.0.0.0:8000", "10.0.0.1:8000", "10.0.0.2:8000"]);
    assert_eq!(spread.endpoints().iter().map(|one| one.requests).sum::<u64>(), report.requests());
    assert!(spread.is_even(), "{report}");
    assert!(report.to_string().contains("the spread over 3 replicas is even"), "{report}");
}

#[tokio::test]
async fn an_uneven_spread_is_said_to_be_uneven() {
    let report = run("martello-endpoint", |number| u64::from(number % 4 == 0), |plan| plan).await;
    assert!(!report.spread().unwrap().is_even());
    assert!(report.to_string().contains("is uneven (at most "), "{report}");
}

#[tokio::test]
async fn the_header_can_have_another_name() {
    let report = run("x-served-by", |_| 7, |plan| plan.endpoint_header("x-served-by")).await;
    assert_eq!(report.spread().unwrap().endpoints()[0].name, "10.0.0.7:8000");
    let report = run("x-served-by", |_| 7, |plan| plan).await;
    assert_eq!(report.spread(), None);
}
