//! What do a balancer's clients lose when replicas fail? The same faults for ours, and for nginx and HAProxy as Debian
//! has them, printed as the table of `docs/balancer-faults.md`.
//!
//! `cargo bench --package martello-cli --bench faults [-- FAULT...]` takes about half an hour for all of them; `connections` stands
//! for ten thousand idle connections.

#[allow(dead_code, reason = "the test uses the rest")]
#[path = "../tests/faults/mod.rs"]
mod faults;

use std::time::Duration;

use faults::load::Load;
use faults::proxy::Kind;
use faults::scenario::{Fault, Outcome, Pace, run};

const LOADS: [Load; 3] =
    [Load::Closed(64, Duration::ZERO), Load::Closed(256, Duration::ZERO), Load::Open(500)];
const KINDS: [Kind; 3] = [Kind::Martello, Kind::Nginx, Kind::Haproxy];
/// The time from a replica's end to the start of the next, and half the length of a fault: two seconds, or so many as
/// `FAULTS_STEP` says.
fn pace() -> Pace {
    let step = std::env::var("FAULTS_STEP").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(2.0);
    Pace { step: Duration::from_secs_f64(step) }
}

#[tokio::main(worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the table is the output")]
async fn main() {
    if faults::be_a_replica_if_told().await {
        return;
    }
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is_wanted =
        |fault: &Fault| wanted.is_empty() || wanted.iter().any(|part| fault.name().contains(part.as_str()));
    let kinds: Vec<Kind> = KINDS.into_iter().filter(|kind| kind.is_installed()).collect();
    if wanted.iter().any(|part| part == "connections") || wanted.is_empty() {
        idle_connections(&kinds).await;
    }
    println!("Failed requests at 64 clients / 256 clients / 500 a second (the slowest answer of each):\n");
    println!("| fault | {} |", kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" | "));
    println!("|---|{}", "---|".repeat(kinds.len()));
    for fault in Fault::ALL.into_iter().filter(is_wanted) {
        let mut cells = Vec::new();
        for kind in &kinds {
            let mut outcomes = Vec::new();
            for load in LOADS {
                outcomes.push(run(fault, load, *kind, pace()).await);
            }
            cells.push(cell(fault, &outcomes));
        }
        println!("| {} | {} |", fault.name(), cells.join(" | "));
    }
}

/// What ten thousand clients cost that are connected and ask nothing.
#[expect(clippy::print_stdout, reason = "the table is the output")]
async fn idle_connections(kinds: &[Kind]) {
    println!("10,000 connections, idle for 5 s\n\n| | kept | MB before | MB with them |\n|---|---|---|---|");
    for kind in kinds {
        let idle = faults::idle::run(*kind, 10_000, Duration::from_secs(5)).await;
        println!("| {} | {} | {:.1} | {:.1} |", kind.name(), idle.kept, idle.before, idle.with);
    }
    println!();
}

fn cell(fault: Fault, outcomes: &[Outcome]) -> String {
    let each = |of: &dyn Fn(&Outcome) -> String| outcomes.iter().map(of).collect::<Vec<_>>().join(" / ");
    let seconds = |time: Option<Duration>| {
        time.map_or_else(|| "–".to_owned(), |time| format!("{:.2}", time.as_secs_f64()))
    };
    let slowest = each(&|outcome| seconds(Some(outcome.slowest)));
    if fault.is_outage() {
        let times = |outcome: &Outcome| {
            outcome.amplification.map_or_else(|| "–".to_owned(), |times| format!("{times:.2}"))
        };
        return format!(
            "told after {} s, amplified {}, back after {} s",
            each(&|outcome| seconds(outcome.told_after)),
            each(&times),
            each(&|outcome| seconds(outcome.back_after)),
        );
    }
    let failed = each(&|outcome| outcome.failed.to_string());
    if fault.keeps_waiting() {
        let rate = each(&|outcome| format!("{:.0}", outcome.rate));
        return format!("{failed} ({slowest} s; {rate} answers a second)");
    }
    format!("{failed} ({slowest} s)")
}
