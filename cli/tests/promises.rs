//! Zero failed requests, whatever fails: each fault, under 64 and 256 clients that never wait and under 500 requests a
//! second whatever becomes of them.
//!
//! `cargo test --package martello-cli --test promises -- FAULT` runs the faults whose names contain FAULT. With
//! `FAULTS_PYTHON`, an interpreter that has FastAPI and uvicorn, the replicas are those of the replaced kind, and the
//! faults those that any server can have (`.ci/uvicorn`).

#[allow(dead_code, reason = "the bench uses the rest")]
mod faults;

use std::time::{Duration, Instant};

use faults::load::Load;
use faults::proxy::Kind;
use faults::scenario::{Fault, Outcome, Pace, run};

const LOADS: [Load; 3] =
    [Load::Closed(64, Duration::ZERO), Load::Closed(256, Duration::ZERO), Load::Open(500)];
const PACE: Pace = Pace { step: Duration::from_millis(700) };

#[tokio::main(worker_threads = 2)]
async fn main() {
    if faults::be_a_replica_if_told().await {
        return;
    }
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is_named =
        |fault: &Fault| wanted.is_empty() || wanted.iter().any(|part| fault.name().contains(part.as_str()));
    let with_uvicorn = faults::replica::python().is_some();
    let is_wanted = |fault: &Fault| is_named(fault) && (!with_uvicorn || fault.fits_any_server());
    let (mut tried, mut broken) = (0, 0);
    let mut usual = [None; LOADS.len()];
    for fault in Fault::ALL.into_iter().filter(is_wanted) {
        for (load, usual) in LOADS.into_iter().zip(&mut usual) {
            // The same clients with pauses, which is what this one is about: more of them show nothing else.
            if fault == Fault::Idle && !matches!(load, Load::Closed(256, _)) {
                continue;
            }
            // Each replica looks every five seconds whether its model has moved.
            if fault == Fault::HotSwap && matches!(load, Load::Closed(256, _)) {
                continue;
            }
            let began = Instant::now();
            let outcome = run(fault, load, Kind::Martello, PACE).await;
            if fault == Fault::None {
                *usual = Some(outcome.rate);
            }
            let problems = problems(fault, &outcome, *usual);
            tried += 1;
            broken += problems.len();
            say(fault, load, &outcome, began.elapsed(), &problems);
        }
    }
    assert_eq!(broken, 0, "promises are broken");
    // Without it, words may be meant for the tests of other files.
    assert!(tried > 0 || !with_uvicorn, "no fault that any server can have has a name with {wanted:?}");
}

/// How long clients may wait for a 503 once an outage is known, and for the first answer once a replica is back: the time
/// between two probes.
const SOON: Duration = Duration::from_secs(1);

/// The least of the sound replicas' share that is answered while others keep requests waiting.
const LEAST_SHARE: f64 = 0.9;

/// What of an outcome is against the promises, where so many answers a second are usual.
fn problems(fault: Fault, outcome: &Outcome, usual: Option<f64>) -> Vec<String> {
    let mut problems = Vec::new();
    // Too few to say anything; clients that pause ask less.
    if outcome.answered < if fault == Fault::Idle { 100 } else { 400 } {
        problems.push(format!("only {} answers", outcome.answered));
    }
    if !fault.is_outage() {
        if outcome.failed > 0 {
            problems.push(format!("{} requests failed", outcome.failed));
        }
        let least = usual.map(|usual| usual * LEAST_SHARE * fault.sound_share());
        if fault.keeps_waiting() && least.is_some_and(|least| outcome.rate < least) {
            problems.push(format!("only {:.0} answers a second", outcome.rate));
        }
        return problems;
    }
    let unexplained = outcome.kinds.iter().filter(|(kind, count)| !is_explained(fault, kind, *count));
    problems.extend(unexplained.map(|(kind, count)| format!("{count} times {kind}")));
    if outcome.told_after.is_none_or(|after| after > SOON) {
        problems.push(format!("told only after {:.1?}", outcome.told_after));
    }
    if outcome.back_after.is_none_or(|after| after > SOON) {
        problems.push(format!("back only after {:.1?}", outcome.back_after));
    }
    if outcome.amplification.is_some_and(|times| times > 1.2) {
        problems
            .push(format!("the outage was amplified {:.2} times", outcome.amplification.unwrap_or_default()));
    }
    problems
}

/// What may be under way, and so be passed on, before replicas that answer 500 are ejected.
const PASSED_ON: u64 = 400;

/// In an outage a client is told 503 and why.
fn is_explained(fault: Fault, kind: &str, count: u64) -> bool {
    kind == "status 503 no-endpoint"
        || (fault == Fault::OutageError && kind == "status 500 " && count <= PASSED_ON)
}

#[expect(clippy::print_stdout, reason = "the figures are the output")]
fn say(fault: Fault, load: Load, outcome: &Outcome, took: Duration, problems: &[String]) {
    let load = match load {
        Load::Closed(clients, _) => format!("{clients} clients"),
        Load::Open(rate) => format!("{rate}/s"),
    };
    println!(
        "{} | {load}: {} answered, {} failed, slowest {:.2?}, {:.0}/s in the fault{}{}{} ({:.1?})",
        fault.name(),
        outcome.answered,
        outcome.failed,
        outcome.slowest,
        outcome.rate,
        outcome.amplification.map(|times| format!(", amplified {times:.2}")).unwrap_or_default(),
        outcome.told_after.map(|after| format!(", told within {after:.0?}")).unwrap_or_default(),
        outcome.back_after.map(|after| format!(", back after {after:.0?}")).unwrap_or_default(),
        took,
    );
    if outcome.failed > 0 {
        println!("    {:?}", outcome.kinds);
    }
    for problem in problems {
        println!("    BROKEN: {problem}");
    }
}
