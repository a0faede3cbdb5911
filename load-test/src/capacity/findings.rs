//! What a survey found out.

use std::path::Path;

use serde::{Deserialize, Serialize, Serializer};

use crate::capacity::{Level, Outcome, Sweep, knee};
use crate::error::Result;
use crate::report::file::{write_file, write_json};

/// Name and version of the JSON form; the number rises when a field changes its meaning or goes away.
pub(super) const SCHEMA: &str = "martello-load-test/capacity/2";

/// What is given beyond the need: with 25 % less than it needs, a server under a quota went from a p99 of
/// 0.8 ms to one of 77 ms, so a limit must keep its distance from that edge.
const HEADROOM: f64 = 1.3;

/// What a survey found out; its `Display` is a table and sentences, its serde form is for machines (field
/// `schema`: `martello-load-test/capacity/2`).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Findings {
    /// The address under test.
    pub host: String,
    /// The users that were asked for.
    pub target_users: usize,
    /// What breaks a probe.
    pub thresholds: Vec<String>,
    /// The p99 that breaks it, in seconds, if one of them is about that.
    pub p99_limit_seconds: Option<f64>,
    /// Mean think time Z, in seconds.
    pub think_time_seconds: f64,
    /// The probe at low load, which gives the latency at rest R₀.
    pub at_rest: Level,
    /// What the probe at low load lets expect; `None` if no process was watched.
    pub prediction: Option<Prediction>,
    /// Every probe of the search over users, in its order.
    pub levels: Vec<Level>,
    /// The most users, up to the target, that held each time.
    pub held_users: Option<usize>,
    /// Whether the search ended where the probes could not tell, so that more users might hold.
    pub cut_short: bool,
    /// The open-loop probes at the rate that these users offered, and at 1.2 times that rate.
    pub confirmations: Vec<Level>,
    /// Every probe of the search over processor limits, in its order.
    pub limits: Vec<Level>,
    /// The least processor limit that held each time with [`held_users`](Self::held_users), in cores.
    pub least_cores: Option<f64>,
    /// Whether the search over limits ended where the probes could not tell.
    pub limit_cut_short: bool,
    /// Every probe of the search over memory limits, in its order.
    pub memory_limits: Vec<Level>,
    /// The least memory limit that held each time with [`held_users`](Self::held_users), in bytes.
    pub least_memory_bytes: Option<u64>,
    /// Whether that search ended where the probes could not tell.
    pub memory_cut_short: bool,
    /// What replicas change, if they were swept over.
    pub sweeps: Vec<Sweep>,
}

/// What a probe at low load lets expect of high load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Prediction {
    /// Requests a second that the target users offer, N / (Z + R₀).
    pub offered_requests_per_second: f64,
    /// Processors that serving them takes.
    pub cores: f64,
    /// Users that would keep all processors of this machine busy, N*.
    pub knee_users: f64,
}

/// What to allow a server, with some distance from the edge.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Resources {
    /// Processors.
    pub cpus: f64,
    /// Memory in MiB.
    pub memory_mib: u64,
}

impl Findings {
    /// Returns the last probe with the users that held.
    #[must_use]
    pub fn held_level(&self) -> Option<&Level> {
        let users = self.held_users?;
        self.levels.iter().rev().find(|level| level.users == users && level.outcome == Outcome::Holds)
    }

    /// Returns the highest rate of the search if more users broke the server; `None` if none did.
    #[must_use]
    pub fn saturation(&self) -> Option<f64> {
        let broke = self.levels.iter().any(|level| level.outcome == Outcome::Breaks);
        let rates = self.levels.iter().map(|level| level.requests_per_second);
        broke.then(|| rates.fold(0.0, f64::max))
    }

    /// Returns the users at which that rate is reached, N* = X·(Z + R₀); `None` if the server was not saturated.
    #[must_use]
    pub fn knee_users(&self) -> Option<f64> {
        self.saturation().map(|rate| knee(rate, self.think_time_seconds, self.at_rest.mean_seconds))
    }

    /// Returns what to allow the server: 30 % more than it needed; `None` if that was not measured.
    ///
    /// What it needed is the least limit that held where one was searched, else what it used.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sizes of machines"
    )]
    pub fn resources(&self) -> Option<Resources> {
        let level = self.held_level()?;
        let cores = self.least_cores.or_else(|| level.cores())?;
        let memory = self.least_memory_bytes.or(level.memory_bytes)?;
        let mib = memory as f64 * HEADROOM / f64::from(1 << 20);
        let cpus = ((cores * HEADROOM * 20.0).ceil() / 20.0).max(0.05);
        Some(Resources { cpus, memory_mib: mib.ceil() as u64 })
    }

    /// Writes the findings as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) with the path if the file cannot be written.
    pub fn write_json(&self, path: impl AsRef<Path>) -> Result<()> {
        write_json(path.as_ref(), self)
    }

    /// Writes [`to_html`](Self::to_html) to a file.
    ///
    /// # Errors
    /// As [`write_json`](Self::write_json).
    pub fn write_html(&self, path: impl AsRef<Path>) -> Result<()> {
        write_file(path.as_ref(), self.to_html().as_bytes())
    }
}

impl Serialize for Findings {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Form<'a> {
            schema: &'static str,
            host: &'a str,
            target_users: usize,
            thresholds: &'a [String],
            p99_limit_seconds: Option<f64>,
            think_time_seconds: f64,
            at_rest: &'a Level,
            prediction: Option<Prediction>,
            levels: &'a [Level],
            held_users: Option<usize>,
            cut_short: bool,
            saturation_requests_per_second: Option<f64>,
            knee_users: Option<f64>,
            limits: &'a [Level],
            least_cores: Option<f64>,
            limit_cut_short: bool,
            confirmations: &'a [Level],
            memory_limits: &'a [Level],
            least_memory_bytes: Option<u64>,
            memory_cut_short: bool,
            sweeps: &'a [Sweep],
            resources: Option<Resources>,
            sentences: Vec<String>,
        }
        Form {
            schema: SCHEMA,
            host: &self.host,
            target_users: self.target_users,
            thresholds: &self.thresholds,
            p99_limit_seconds: self.p99_limit_seconds,
            think_time_seconds: self.think_time_seconds,
            at_rest: &self.at_rest,
            prediction: self.prediction,
            levels: &self.levels,
            held_users: self.held_users,
            cut_short: self.cut_short,
            saturation_requests_per_second: self.saturation(),
            knee_users: self.knee_users(),
            limits: &self.limits,
            least_cores: self.least_cores,
            limit_cut_short: self.limit_cut_short,
            confirmations: &self.confirmations,
            memory_limits: &self.memory_limits,
            least_memory_bytes: self.least_memory_bytes,
            memory_cut_short: self.memory_cut_short,
            sweeps: &self.sweeps,
            resources: self.resources(),
            sentences: self.sentences(),
        }
        .serialize(serializer)
    }
}
