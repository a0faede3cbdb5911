//! Train again and promote while users ask: the replica swaps the model, and no request notices but by its answer.
//!
//! `cargo run --release --example hot_swap`
//!
//! ```text
//! version 1 is in service
//! version 2 is trained and promoted
//! version 2 is in service after 0.2 s
//! 1,312 requests, 0 failed
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use martello::load_test::Report;
use martello::prelude::*;
use martello::registry::WatchOptions;
use martello::serving::ModelSource;
use martello::trainer::WhenPresent;

const BODY: &str = r#"{"feature1":5.3,"feature2":2.1,"feature3":0.8}"#;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let registry = Registry::embedded(data.path()).await?;
    TrainingJob::linear_regression().run(&registry).await?;

    // A replica that follows the stage. Ten looks a second, so that the example is short; five seconds is the default.
    let slot = Slot::empty();
    let replica = Replica::builder().listen("127.0.0.1:0").slot(slot.clone()).bind().await?;
    let url = format!("http://{}", replica.local_addr());
    let uri = "models:/linear_regression_model/Production".parse()?;
    let source = ModelSource::new(registry.clone(), Cache::open(data.path().join("cache"))?, uri);
    source.load_into(&slot).await?;
    let options = WatchOptions { interval: Duration::from_millis(100), ..WatchOptions::default() };
    let _following = source.follow(slot.clone(), options);
    tokio::spawn(replica.serve(std::future::pending()));
    println!("version {} is in service", in_service(&slot)?);

    // Users come, and a new version is promoted under them.
    let users = tokio::spawn(ask_for_three_seconds(url));
    let outcome = TrainingJob::linear_regression().when_present(WhenPresent::Retrain).run(&registry).await?;
    let (promoted, since) = (outcome.version().version, Instant::now());
    println!("version {promoted} is trained and promoted");
    while in_service(&slot)? != promoted {
        ensure!(since.elapsed() < Duration::from_secs(10), "version {promoted} is not in service after 10 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("version {promoted} is in service after {:.1} s", since.elapsed().as_secs_f64());

    let report = users.await??;
    println!("{} requests, {} failed", report.requests(), report.failures());
    ensure!(report.failures() == 0, "a swap must not cost a request");
    Ok(())
}

fn in_service(slot: &Slot) -> anyhow::Result<u32> {
    slot.load().and_then(|served| served.version()).context("no model is in service")
}

async fn ask_for_three_seconds(url: String) -> anyhow::Result<Report> {
    let plan = Plan::builder(url)
        .users(50)
        .spawn_rate(500.0)
        .run_time(Duration::from_secs(3))
        .think_time(ThinkTime::constant(0.1))
        .request(RequestTemplate::post("/predict").json(BODY))
        .build()?;
    Ok(plan.run(|_| ()).await?)
}
