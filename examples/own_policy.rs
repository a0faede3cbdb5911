//! A policy and a source of endpoints of your own: each team's requests go to "their" workers, whose list is a file that
//! somebody edits while the program runs.
//!
//! `cargo run --example own_policy`
//!
//! ```text
//! two workers       ["a", "b"]        team 2 → b b b b
//! a third joins     ["a", "b", "c"]   team 2 → c c c c
//! the third leaves  ["a", "b"]        team 2 → b b b b
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::convert::Infallible;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use martello::balancer::discovery::{Discover, follow};
use martello::balancer::policy::{Candidates, Policy};
use martello::balancer::{Balance, Load, Plain};
use tower::{ServiceExt, util::BoxCloneSyncService};

/// One of the third of all teams that a third worker takes over; the others stay where they are.
const TEAM: u64 = 2;

type Worker = BoxCloneSyncService<u64, String, Infallible>;
type Workers = Balance<Worker, Rendezvous, Plain>;

/// Sends everything of one key to the same endpoint, and moves as little as possible when endpoints come and go: highest
/// random weight (Thaler and Ravishankar, 1998).
#[derive(Debug, Default)]
struct Rendezvous {
    key: Arc<AtomicU64>,
}

impl Policy for Rendezvous {
    type Round = ();

    fn begin(&self, _ready: &[Arc<Load>]) {}

    fn pick(&self, (): &(), candidates: &Candidates<'_>) -> Option<usize> {
        let key = self.key.load(Ordering::Relaxed);
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        candidates.untried().max_by_key(|(_, load)| hasher.hash_one((key, load.id()))).map(|(index, _)| index)
    }
}

/// The names of the workers, one a line, read again ten times a second.
struct Lines {
    path: PathBuf,
    known: Vec<String>,
}

impl Discover for Lines {
    type Endpoint = String;

    async fn next(&mut self) -> Option<Vec<String>> {
        loop {
            // An unreadable file is no empty one: what is known stays.
            if let Ok(text) = std::fs::read_to_string(&self.path) {
                let found: Vec<String> = text.lines().map(str::to_owned).collect();
                if found != self.known {
                    self.known.clone_from(&found);
                    return Some(found);
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("workers");
    std::fs::write(&path, "a\nb\n")?;
    let policy = Rendezvous::default();
    let key = Arc::clone(&policy.key);
    let workers: Workers = Balance::builder().build(policy, std::iter::empty::<(String, Worker)>());
    tokio::spawn(follow(Lines { path: path.clone(), known: Vec::new() }, workers.endpoints(), worker));

    key.store(TEAM, Ordering::Relaxed);
    show("two workers", &workers, 2).await?;
    std::fs::write(&path, "a\nb\nc\n")?;
    show("a third joins", &workers, 3).await?;
    std::fs::write(&path, "a\nb\n")?;
    show("the third leaves", &workers, 2).await
}

/// What a name stands for: here a function, elsewhere a connection.
#[expect(clippy::ptr_arg, reason = "it is called with what the source tells")]
fn worker(name: &String) -> Worker {
    let name = name.clone();
    BoxCloneSyncService::new(tower::service_fn(move |_job| {
        let name = name.clone();
        async move { Ok(name) }
    }))
}

/// Waits for so many workers, and asks four times.
async fn show(situation: &str, workers: &Workers, count: usize) -> anyhow::Result<()> {
    while workers.endpoints().names().len() != count {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut answers = Vec::new();
    for job in 0..4 {
        answers.push(workers.clone().oneshot(job).await?);
    }
    ensure!(answers.windows(2).all(|two| two[0] == two[1]), "one team has one worker: {answers:?}");
    let names = format!("{:?}", workers.endpoints().names());
    println!("{situation:<17} {names:<17} team {TEAM} → {}", answers.join(" "));
    Ok(())
}
