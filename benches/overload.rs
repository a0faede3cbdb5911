//! What is answered while more is asked for than can be answered?
//!
//! `cargo bench --bench overload` prints the curve of a replica with a model of 2 ms and with one of 500 µs: a Poisson stream
//! (open loop: nobody waits for an answer before asking again) of 0.1 to 3 times what the server can answer. *In time* is a 200
//! within 250 ms of the moment at which the request was meant to be sent.
//!
//! To read a request and refuse it takes about 10 µs, whatever the model: with a model that takes no longer, refusing costs as
//! much as answering, and no server can keep its goodput by refusing. Hence these models.
//!
//! `cargo bench --bench overload -- --against http://127.0.0.1:8000` does the same to a server that is there already, on
//! `POST /predict` and `GET /health`: `benches/peers/replica.sh` starts FastAPI that way.
//!
//! Server and generator are processes of their own, one processor each where `taskset` can give it to them.

#![allow(clippy::print_stdout, reason = "a bench prints what it found")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Parser;
use martello::load_test::{Arrivals, FailureKind, Limits as LoadLimits, Plan, RequestTemplate, ThinkTime};
use martello::model_core::{Batch, Column, Error, Model, Predictions, Signature};
use martello::serving::Replica;

const BODY: &str = r#"{"feature1":5.3,"feature2":2.1,"feature3":0.8}"#;
const IN_TIME: Duration = Duration::from_millis(250);
const OFFERED: [f64; 6] = [0.1, 0.5, 1.0, 1.5, 2.0, 3.0];
const MODELS: [Duration; 2] = [Duration::from_micros(2000), Duration::from_micros(500)];
/// Before each step, not counted: the server sees that this is more than a burst.
const WARM_UP: Duration = Duration::from_secs(1);

#[derive(Debug, Parser)]
struct Options {
    /// A server that is there already.
    #[arg(long, value_name = "URL")]
    against: Option<String>,
    /// Seconds of each step.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Serve a model that takes that many microseconds: how the bench starts itself.
    #[arg(long, hide = true)]
    serve: Option<u64>,
    // `cargo bench` says it to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    match options.serve {
        Some(micros) => runtime()?.block_on(serve(Duration::from_micros(micros))),
        None => runtime()?.block_on(measure(&options)),
    }
}

/// As the binary does: one processor gets a current-thread runtime.
fn runtime() -> Result<tokio::runtime::Runtime> {
    let one = std::thread::available_parallelism().map_or(1, usize::from) == 1;
    let mut builder = if one {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    Ok(builder.enable_all().build()?)
}

// ===== the server =====

/// A model that computes for a time that was measured once: a logistic map, whose steps cannot be skipped.
#[derive(Debug)]
struct Computes {
    signature: Arc<Signature>,
    steps: u64,
}

impl Computes {
    fn for_about(time: Duration) -> Result<Self> {
        let columns = ["feature1", "feature2", "feature3"].map(Column::double).to_vec();
        let signature = Arc::new(Signature::new(columns, vec![Column::double("prediction")])?);
        let steps = 100_000;
        // The quickest of many: others may have had the processor meanwhile.
        let once = (0..200).map(|_| {
            let begun = Instant::now();
            std::hint::black_box(orbit(0.3, steps));
            begun.elapsed()
        });
        let once = once.min().unwrap_or_default().as_secs_f64();
        Ok(Self { signature, steps: (steps as f64 * time.as_secs_f64() / once) as u64 })
    }
}

fn orbit(from: f64, steps: u64) -> f64 {
    (0..steps).fold(from, |x, _| 3.9 * x * (1.0 - x))
}

impl Model for Computes {
    fn signature(&self) -> &Arc<Signature> {
        &self.signature
    }

    fn predict(&self, batch: &Batch) -> Result<Predictions, Error> {
        let rows = batch.numbers().chunks_exact(3);
        Ok(Predictions::Numbers(rows.map(|row| orbit(row[2], self.steps)).collect()))
    }
}

async fn serve(time: Duration) -> Result<()> {
    let model = Arc::new(Computes::for_about(time)?);
    let replica = Replica::builder().model(model).listen("127.0.0.1:0").bind().await?;
    println!("{}", replica.local_addr());
    Ok(replica.serve(std::future::pending()).await?)
}

/// A server of our own, which ends with its handle.
struct Started(Child);

impl Started {
    fn new(time: Duration) -> Result<(Self, String)> {
        let this = std::env::current_exe()?;
        let pinned = Command::new("taskset").arg("--version").stdout(Stdio::null()).status().is_ok();
        let mut command = Command::new(if pinned { "taskset".as_ref() } else { this.as_os_str() });
        if pinned {
            command.args(["-c", "0"]).arg(&this);
            // The generator, all of its threads, gets what is left.
            let last = std::thread::available_parallelism()?.get() - 1;
            let mut pin = Command::new("taskset");
            pin.args(["-apc", &format!("1-{}", last.max(1)), &std::process::id().to_string()]);
            drop(pin.stdout(Stdio::null()).stderr(Stdio::null()).status());
        } else {
            println!("not pinned (no taskset): server and generator may share processors");
        }
        let mut child =
            command.args(["--serve", &time.as_micros().to_string()]).stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().context("a pipe")?).read_line(&mut address)?;
        Ok((Self(child), format!("http://{}", address.trim())))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

// ===== the load =====

async fn measure(options: &Options) -> Result<()> {
    let seconds = Duration::from_secs(options.seconds);
    if let Some(url) = &options.against {
        println!("{url}");
        return curve(url, seconds).await.map(|_| ());
    }
    for time in MODELS {
        let (_server, url) = Started::new(time)?;
        println!("a model of {time:?}");
        curve(&url, seconds).await?;
    }
    Ok(())
}

fn predict() -> RequestTemplate {
    RequestTemplate::post("/predict").json(BODY)
}

/// Returns how many requests a second are answered to users who never think, while its health is looked at as in the steps.
async fn capacity(url: &str, time: Duration) -> Result<f64> {
    let users = |time| {
        let plan = Plan::builder(url).users(4).spawn_rate(1000.0).run_time(time);
        plan.think_time(ThinkTime::constant(0.0)).request(predict()).build()
    };
    users(WARM_UP)?.run(|_| ()).await?;
    let (users, looks) = (users(time)?, looks(url, time)?);
    let (report, _) = tokio::join!(users.run(|_| ()), looks.run(|_| ()));
    let report = report?;
    let good = report.statistics().latency_of_successes().count();
    anyhow::ensure!(good > 0, "{url} answers no prediction:\n{report}");
    Ok(good as f64 / report.lasted().as_secs_f64())
}

/// What came of one step.
struct Point {
    in_time: f64,
    accepted_p99: Duration,
}

async fn curve(url: &str, time: Duration) -> Result<()> {
    let capacity = capacity(url, time).await?;
    println!("  capacity {capacity:.0}/s (four users who never think)");
    println!(
        "  {:>7} {:>9} {:>11} {:>8} {:>8} {:>10} {:>10} {:>11}",
        "times", "offered/s", "in time/s", "shed/s", "lost/s", "p50", "p99", "health p99"
    );
    let mut points = Vec::new();
    for times in OFFERED {
        open_loop(url, times * capacity, WARM_UP).await?;
        points.push(step(url, times, capacity, time).await?);
    }
    let best_step = points.iter().map(|point| point.in_time).fold(0.0, f64::max);
    let best = best_step.max(capacity);
    let (alone, half, twice) = (&points[0], &points[1], &points[4]);
    let ratio = |to: &Point| twice.accepted_p99.as_secs_f64() / to.accepted_p99.as_secs_f64();
    println!(
        "  at twice its capacity: {:.1} % of the best, {:.1} % of the best of the steps; p99 of the accepted {:.1} times that at 0.5, \
         {:.1} times that at 0.1\n",
        100.0 * twice.in_time / best,
        100.0 * twice.in_time / best_step,
        ratio(half),
        ratio(alone)
    );
    Ok(())
}

async fn open_loop(url: &str, per_second: f64, time: Duration) -> Result<martello::load_test::Report> {
    let limits = LoadLimits { response_timeout: Duration::from_secs(5), ..LoadLimits::default() };
    let plan = Plan::builder(url).arrivals(Arrivals::poisson(per_second)).run_time(time).limits(limits);
    Ok(plan.request(predict()).build()?.run(|_| ()).await?)
}

/// Looks at the server's health fifty times a second.
fn looks(url: &str, time: Duration) -> Result<Plan> {
    let plan = Plan::builder(url).arrivals(Arrivals::constant(50.0)).run_time(time);
    Ok(plan.request(RequestTemplate::get("/health")).build()?)
}

async fn step(url: &str, times: f64, capacity: f64, time: Duration) -> Result<Point> {
    let looks = looks(url, time)?;
    let (report, health) = tokio::join!(open_loop(url, times * capacity, time), looks.run(|_| ()));
    let (report, health) = (report?, health?);
    let statistics = report.statistics();
    let good = statistics.latency_of_successes();
    let shed = statistics.failures_by_kind().get(&FailureKind::Status(503)).copied().unwrap_or(0);
    let rate = |count: f64| count / time.as_secs_f64();
    let in_time = rate(good.count() as f64 * good.share_within(IN_TIME));
    println!(
        "  {times:>7} {:>9.0} {in_time:>11.0} {:>8.0} {:>8.0} {:>10} {:>10} {:>11}{}",
        times * capacity,
        rate(shed as f64),
        rate((report.failures() - shed) as f64),
        millis(good.percentile(50.0)),
        millis(good.percentile(99.0)),
        millis(health.statistics().latency_of_successes().percentile(99.0)),
        if health.failures() > 0 {
            format!("  {} of {} unhealthy", health.failures(), health.requests())
        } else {
            String::new()
        },
    );
    let lateness = statistics.lateness().percentile(99.0);
    if lateness > Duration::from_millis(5) {
        println!("          the generator was late itself: {} at p99", millis(lateness));
    }
    Ok(Point { in_time, accepted_p99: good.percentile(99.0) })
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
