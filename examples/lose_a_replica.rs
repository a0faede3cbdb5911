//! Three replicas, each a process of its own. One is killed with SIGKILL while 64 users ask; no request fails.
//!
//! `cargo run --release --example lose_a_replica`
//!
//! ```text
//! replicas on 127.0.0.1:34271, 127.0.0.1:42573, 127.0.0.1:39407
//! 127.0.0.1:34271 is killed after 2 s, and nobody replaces it
//! …
//! 127.0.0.1:34271  ejected: 2 failures in a row, the last a failed connection
//! 127.0.0.1:42573  ready: its probe succeeds
//! 127.0.0.1:39407  ready: its probe succeeds
//! ```
//!
//! then the table of the load test, with zero failures. The reason is the last that there was: one that lost five requests with
//! it says `failed its trial: failed connection` in the end.

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use martello::prelude::*;
use martello::serving::ModelSource;

const BODY: &str = r#"{"feature1":5.3,"feature2":2.1,"feature3":0.8}"#;

#[derive(Parser)]
struct Args {
    /// Users who ask again as soon as they are answered.
    #[arg(long, default_value_t = 64)]
    users: usize,
    /// Be a replica that serves from this folder.
    #[arg(long, hide = true)]
    replica: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match &args.replica {
        Some(data) => be_a_replica(data).await,
        None => lose_one(args.users).await,
    }
}

/// What each child process does.
async fn be_a_replica(data: &Path) -> anyhow::Result<()> {
    let registry = Registry::embedded(data).await?;
    let uri = "models:/linear_regression_model/Production".parse()?;
    let slot = Slot::empty();
    ModelSource::new(registry, Cache::open(data.join("cache"))?, uri).load_into(&slot).await?;
    let replica = Replica::builder().listen("127.0.0.1:0").slot(slot).bind().await?;
    println!("{}", replica.local_addr());
    Ok(replica.serve(std::future::pending()).await?)
}

async fn lose_one(users: usize) -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    TrainingJob::linear_regression().run(&Registry::embedded(data.path()).await?).await?;
    let mut replicas = (0..3).map(|_| Process::start(data.path())).collect::<anyhow::Result<Vec<_>>>()?;
    let addresses: Vec<SocketAddr> = replicas.iter().map(|replica| replica.address).collect();
    println!("replicas on {}", addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", "));

    let balancer =
        Balancer::builder().listen("127.0.0.1:0").upstreams(&addresses).with_route_headers().bind().await?;
    let (url, status) = (format!("http://{}", balancer.local_addr()), balancer.status());
    tokio::spawn(balancer.serve(std::future::pending()));

    let plan = Plan::builder(url)
        .users(users)
        .spawn_rate(500.0)
        .run_time(Duration::from_secs(6))
        .think_time(ThinkTime::constant(0.0))
        .request(RequestTemplate::post("/predict").json(BODY))
        .build()?;
    let victim = replicas.swap_remove(0);
    println!("{} is killed after 2 s, and nobody replaces it\n", victim.address);
    let mut victim = Some(victim);
    let report = plan.run(|tick| {
        println!("{tick}");
        if tick.elapsed >= Duration::from_secs(2) {
            // Dropping it is kill -9.
            drop(victim.take());
        }
    });
    let report = report.await?;

    println!();
    for endpoint in status.snapshot().endpoints {
        println!("{:<16} {}: {}", endpoint.name, endpoint.state, endpoint.reason);
    }
    println!("\n{report}");
    ensure!(report.failures() == 0, "{} of {} requests failed", report.failures(), report.requests());
    Ok(())
}

/// A replica in a process of its own; dropping it sends SIGKILL.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(data: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("--replica").arg(data).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("the child has no output")?).read_line(&mut line)?;
        let address =
            line.trim().parse().with_context(|| format!("the replica said {line:?}, not its address"))?;
        Ok(Self { child, address })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
