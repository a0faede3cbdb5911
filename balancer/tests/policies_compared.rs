//! Every policy over the same scenarios, in virtual time: the same seeds, the same arrivals, the same work. Prints the
//! table that the README has.

use std::{sync::Arc, time::Duration};

use martello_balancer::{
    Balance, Endpoints, Repeatable, TryTimeout,
    policy::{LeastRequests, PeakEwma, Policy, PowerOfTwoChoices, RoundRobin},
};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tower::{Service, util::BoxCloneSyncService};

const REQUESTS: u64 = 3_000;
/// What a request takes of one worker on average.
const WORK: Duration = Duration::from_millis(20);

type Replica = BoxCloneSyncService<Work, (), &'static str>;

/// A request: how much work it is.
#[derive(Debug, Clone, Copy)]
struct Work(Duration);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Sound,
    TenTimesSlower,
    FailsAtOnce,
    Stalls,
}

/// A replica with so many workers, which take requests in the order in which they come.
fn replica(kind: Kind, workers: usize) -> Replica {
    let idle = Arc::new(Semaphore::new(workers));
    BoxCloneSyncService::new(tower::service_fn(move |Work(work)| {
        let idle = Arc::clone(&idle);
        async move {
            match kind {
                Kind::FailsAtOnce => return Err("it fails"),
                Kind::Stalls => std::future::pending().await,
                Kind::Sound | Kind::TenTimesSlower => {}
            }
            let _worker = idle.acquire_owned().await.map_err(|_| "it is closed")?;
            sleep(if matches!(kind, Kind::TenTimesSlower) { 10 * work } else { work }).await;
            Ok(())
        }
    }))
}

struct Scenario {
    name: &'static str,
    replicas: [Kind; 4],
    /// How many of them are there from the start; the others join after half of the requests.
    at_first: usize,
    workers: usize,
    /// The share of the four replicas' workers, were all sound, that is asked for.
    load: f64,
}

fn scenarios() -> [Scenario; 6] {
    use Kind::*;
    let one = |name, first| Scenario {
        name,
        replicas: [first, Sound, Sound, Sound],
        at_first: 4,
        workers: 8,
        load: 0.5,
    };
    [
        one("equal replicas", Sound),
        one("one ten times slower", TenTimesSlower),
        one("one fails at once", FailsAtOnce),
        one("one stalls", Stalls),
        Scenario { at_first: 2, load: 0.4, ..one("two become four", Sound) },
        Scenario { workers: 1, load: 0.9, ..one("CPU-bound, 90 % busy", Sound) },
    ]
}

/// Uniform numbers from 0 to 1 (SplitMix64, Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Exponential: the time between arrivals, and the work of each.
    fn exponential(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.next()).ln())
    }
}

#[derive(Debug, PartialEq)]
struct Seen {
    p50_ms: u128,
    p99_ms: u128,
    failed: usize,
}

fn run<P: Policy>(policy: P, scenario: &Scenario) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime starts").block_on(simulate(policy, scenario))
}

async fn simulate<P: Policy>(policy: P, scenario: &Scenario) -> Seen {
    let balance = Balance::builder()
        .protocol(Repeatable)
        .try_timeout(TryTimeout::default())
        .build(policy, std::iter::empty::<(String, Replica)>());
    let endpoints = balance.endpoints();
    join(&endpoints, scenario, 0..scenario.at_first);
    let between = WORK.div_f64(scenario.load * 4.0 * scenario.workers as f64);
    let (mut random, mut asked, mut at) = (Random(7), JoinSet::new(), Instant::now());
    for number in 0..REQUESTS {
        at += random.exponential(between);
        sleep_until(at).await;
        if number == REQUESTS / 2 {
            join(&endpoints, scenario, scenario.at_first..4);
        }
        let (mut balance, work) = (balance.clone(), Work(random.exponential(WORK)));
        asked.spawn(async move {
            let began = Instant::now();
            let answer = balance.call(work).await;
            answer.map(|()| began.elapsed())
        });
    }
    let ended = asked.join_all().await;
    let mut took: Vec<Duration> = ended.iter().filter_map(|answer| answer.as_ref().ok().copied()).collect();
    took.sort_unstable();
    let quantile = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_millis();
    Seen { p50_ms: quantile(0.5), p99_ms: quantile(0.99), failed: ended.len() - took.len() }
}

fn join<P: Policy>(endpoints: &Endpoints<Replica, P>, scenario: &Scenario, which: std::ops::Range<usize>) {
    for index in which {
        assert!(endpoints.add(index.to_string(), replica(scenario.replicas[index], scenario.workers)));
    }
}

fn all(scenario: &Scenario) -> [Seen; 4] {
    [
        run(RoundRobin, scenario),
        run(LeastRequests::default(), scenario),
        run(PowerOfTwoChoices::seeded(7), scenario),
        run(PeakEwma::seeded(7), scenario),
    ]
}

#[test]
fn every_policy_serves_every_scenario_without_a_failure() {
    println!("| p50 / p99 in ms | round robin | least requests | power of two choices | peak EWMA |");
    println!("|---|---|---|---|---|");
    for scenario in &scenarios() {
        let seen = all(scenario);
        let cells = seen.iter().map(|seen| format!("{} / {}", seen.p50_ms, seen.p99_ms));
        println!("| {} | {} |", scenario.name, cells.collect::<Vec<_>>().join(" | "));
        let failed: usize = seen.iter().map(|seen| seen.failed).sum();
        assert_eq!(failed, 0, "{}", scenario.name);
    }
}

#[test]
fn who_looks_at_the_load_suffers_less_from_a_slow_replica() {
    let [round_robin, others @ ..] = all(&scenarios()[1]);
    for other in others {
        assert!(other.p99_ms < round_robin.p99_ms, "{other:?} {round_robin:?}");
    }
}

#[test]
fn the_same_seeds_give_the_same_figures() {
    for scenario in &scenarios() {
        let again = || run(PowerOfTwoChoices::seeded(1), scenario);
        assert_eq!(again(), again(), "{}", scenario.name);
    }
}
