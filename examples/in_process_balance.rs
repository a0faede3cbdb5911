//! The balancer's `Balance` over any tower services: here three functions, of which one breaks for a while.
//!
//! `cargo run --example in_process_balance`
//!
//! ```text
//! all work        300 answers   one 100 (ready)   two 100 (ready)   three 100 (ready)
//! two is broken   300 answers   one 151 (ready)   two 5 (ejected: 5 failures in a row, the last a failed call)   three 149 (ready)
//! two works again 300 answers   one 100 (ready)   two 100 (ready)   three 100 (ready)
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use martello::balancer::policy::RoundRobin;
use martello::balancer::{Balance, EndpointState, Repeatable, Snapshot};
use tower::{ServiceExt, service_fn, util::BoxCloneSyncService};

type Square = BoxCloneSyncService<u64, u64, io::Error>;
type Squares = Balance<Square, RoundRobin, Repeatable>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let broken = Arc::new(AtomicBool::new(false));
    let always_sound = Arc::new(AtomicBool::new(false));
    let endpoints = [("one", &always_sound), ("two", &broken), ("three", &always_sound)];
    let endpoints = endpoints.map(|(name, switch)| (name, square(switch)));
    // Squaring is pure, so a request that failed at one endpoint may be repeated at another.
    let squares = Balance::builder().protocol(Repeatable).build(RoundRobin, endpoints);

    ask_300("all work", &squares).await?;
    broken.store(true, Ordering::Relaxed);
    ask_300("two is broken", &squares).await?;
    broken.store(false, Ordering::Relaxed);
    until_all_ready(&squares).await?;
    ask_300("two works again", &squares).await
}

/// A service that squares a number, until its switch is turned.
fn square(broken: &Arc<AtomicBool>) -> Square {
    let broken = Arc::clone(broken);
    BoxCloneSyncService::new(service_fn(move |number: u64| {
        let works = !broken.load(Ordering::Relaxed);
        async move { if works { Ok(number * number) } else { Err(io::Error::other("out of order")) } }
    }))
}

/// Asks 300 times, loses no answer, and says who answered.
async fn ask_300(situation: &str, squares: &Squares) -> anyhow::Result<()> {
    let before = squares.snapshot();
    for number in 0..300 {
        let answer = squares.clone().oneshot(number).await?;
        ensure!(answer == number * number, "{number} squared is not {answer}");
    }
    println!("{situation:<15} 300 answers   {}", shares(&before, &squares.snapshot()));
    Ok(())
}

/// How many requests each endpoint got between two snapshots, and its state.
fn shares(before: &Snapshot, after: &Snapshot) -> String {
    let endpoints = before.endpoints.iter().zip(&after.endpoints);
    let shares = endpoints.map(|(before, after)| {
        let state = match after.state {
            EndpointState::Ready => "ready".to_owned(),
            state => format!("{state}: {}", after.reason),
        };
        format!("{} {} ({state})", after.name, after.requests - before.requests)
    });
    shares.collect::<Vec<_>>().join("   ")
}

/// Goes on asking until the ejected endpoint was tried again: one request decides.
async fn until_all_ready(squares: &Squares) -> anyhow::Result<()> {
    let ready = |snapshot: Snapshot| snapshot.endpoints.iter().all(|one| one.state == EndpointState::Ready);
    while !ready(squares.snapshot()) {
        squares.clone().oneshot(2).await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
