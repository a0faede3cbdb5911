//! The whole job in one program: train two models, register them, serve one from three replicas, balance over them, load-test.
//!
//! `cargo run --release --example full_stack` (then Ctrl-C), or with `-- --once` to end after the load test.
//!
//! ```text
//! linear_regression_model version 1: trained, mse 0.0106, rmse 0.1031, on 20 rows held back
//! penguin_species version 1: trained, accuracy 1.0000, log_loss 0.0158, on 69 rows held back
//! replica-1 on 127.0.0.1:40607, replica-2 on 127.0.0.1:35087, replica-3 on 127.0.0.1:43189
//! first prediction after 0.31 s: {"prediction":321.3071…}
//! ```
//!
//! then a live line a second, a table, and the commands to try yourself.

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use http::Request;
use http_body_util::BodyExt;
use martello::balancer::{Body, EndpointConfig, HttpEndpoint};
use martello::prelude::*;
use martello::registry::WatchOptions;
use martello::serving::ModelSource;
use tower::ServiceExt;

const BODY: &str = r#"{"feature1":5.3,"feature2":2.1,"feature3":0.8}"#;

#[derive(Parser)]
struct Args {
    /// Replicas to start.
    #[arg(long, default_value_t = 3)]
    replicas: usize,
    /// Users of the load test.
    #[arg(long, default_value_t = 1000)]
    users: usize,
    /// Seconds that the load test runs.
    #[arg(long, default_value_t = 10)]
    run_time: u64,
    /// Port of the balancer; 0 takes a free one.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Folder of the registry.
    #[arg(long, default_value = "martello-data")]
    data_dir: PathBuf,
    /// End after the load test; fail if a request failed.
    #[arg(long)]
    once: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (args, started) = (Args::parse(), Instant::now());

    // 1. Train and register; a second run finds both in Production and trains nothing.
    let registry = Registry::embedded(&args.data_dir).await.context("cannot open the registry")?;
    for job in [TrainingJob::linear_regression(), TrainingJob::penguin_species()] {
        println!("{}", job.run(&registry).await?);
    }

    // 2. Serve from N replicas, each with a listener of its own and following the registry.
    let mut balancer = Balancer::builder().listen(format!("127.0.0.1:{}", args.port)).with_route_headers();
    for number in 1..=args.replicas {
        let address = start_replica(number, &registry, &args).await?;
        println!("replica-{number} on {address}");
        balancer = balancer.upstream(address);
    }

    // 3. Balance over them.
    let balancer = balancer.bind().await.context("cannot start the balancer; --port chooses another port")?;
    let address = balancer.local_addr();
    let url = format!("http://{address}");
    let serving = tokio::spawn(balancer.serve(interrupted()));
    let answer = predict(address).await?;
    println!("first prediction after {:.2} s: {answer}\n", started.elapsed().as_secs_f64());

    // 4. Load-test it.
    let plan = Plan::builder(&url)
        .users(args.users)
        .spawn_rate(500.0)
        .run_time(Duration::from_secs(args.run_time))
        .think_time(ThinkTime::uniform(1.0, 2.5))
        .request(RequestTemplate::post("/predict").json(BODY))
        .build()?;
    let report = plan.run_until(interrupted(), |tick| println!("{tick}")).await?;
    println!("\n{report}");
    if args.once {
        ensure!(report.failures() == 0, "{} of {} requests failed", report.failures(), report.requests());
        return Ok(());
    }

    // 5. Go on until Ctrl-C.
    println!("\n{} replicas behind {url} — try:", args.replicas);
    println!("  curl -s {url}/predict -H 'content-type: application/json' -d '{BODY}'");
    println!("  curl -s {url}/health\n  curl -s {url}/nginx_status\nCtrl-C ends it.");
    Ok(serving.await??)
}

async fn interrupted() {
    drop(tokio::signal::ctrl_c().await);
}

/// Starts a replica on a free port; it serves until the program ends.
async fn start_replica(number: usize, registry: &Registry, args: &Args) -> anyhow::Result<SocketAddr> {
    let slot = Slot::empty();
    let replica =
        Replica::builder().name(format!("replica-{number}")).listen("127.0.0.1:0").slot(slot.clone());
    let replica = replica.bind().await?;
    let address = replica.local_addr();
    let uri = "models:/linear_regression_model/Production".parse()?;
    let source = ModelSource::new(registry.clone(), Cache::open(args.data_dir.join("cache"))?, uri);
    source.load_into(&slot).await?;
    tokio::spawn(async move {
        let _following = source.follow(slot, WatchOptions::default());
        replica.serve(std::future::pending()).await
    });
    Ok(address)
}

/// One prediction over HTTP. The balancer's connection to a replica is a client like any other.
async fn predict(address: SocketAddr) -> anyhow::Result<String> {
    let request = Request::post("/predict")
        .header("host", address.to_string())
        .header("content-type", "application/json");
    let client = HttpEndpoint::new(address, EndpointConfig::default());
    let answer = client.oneshot(request.body(Body::from(BODY))?).await?;
    ensure!(answer.status().is_success(), "the first prediction was answered {}", answer.status());
    let body = answer.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&body).into_owned())
}
