//! The course of a survey: probe, predict, search, limit, confirm, sweep.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use crate::arrivals::Arrivals;
use crate::capacity::room::{Place, Room};
use crate::capacity::sweep::Scale;
use crate::capacity::{Approach, Findings, Ladder, Level, Outcome, Prediction, highest_held, knee};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{PlanBuilder, Step};
use crate::report::StepReport;
use crate::think_time::ThinkTime;
use crate::threshold::Threshold;

/// Users of the probe at low load: enough requests that what a server does without any weighs little, far below
/// what servers break at.
const PROBE_USERS: usize = 200;

/// How many mean think times pass before a probe counts.
const SETTLE_THINK_TIMES: f64 = 2.0;

/// The place of the step that counts, behind the one in which users start and settle.
const COUNTED_STEP: usize = 1;

/// How long a server that was started may take until it answers: an old replica with MLflow takes seven seconds.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// How long a glance at a server that starts takes.
const GLANCE: Duration = Duration::from_millis(200);

/// Before strangers come: to close the ten thousand connections of the users before them keeps a server busy for a fifth of a second,
/// which is not theirs to wait for.
const FAREWELL: Duration = Duration::from_secs(1);

/// Multiples of the offered rate at which an open loop confirms what the closed one found.
const CONFIRMED_AT: [f64; 2] = [1.0, 1.2];

/// Finds out how many users a server holds and what it needs for them; made from the plan that each probe runs.
///
/// Everything that the plan says counts (requests, think time, limits, thresholds, watched processes, seed), but
/// for users and run time, which the survey sets.
#[derive(Clone, Debug)]
#[must_use = "a survey does nothing until `run` is called"]
pub struct Survey {
    pub(super) plan: PlanBuilder,
    target: usize,
    step: usize,
    hold: Duration,
    pub(super) repeats: NonZeroUsize,
    place: Place,
    pub(super) given: Vec<(u32, String)>,
    pub(super) scale: Option<Scale>,
}

impl Survey {
    /// Asks whether `target` users hold, in steps of 500 held for 10 s each, and trusts what held three times.
    pub fn new(plan: PlanBuilder, target: usize) -> Self {
        let repeats = NonZeroUsize::MIN.saturating_add(2);
        let (place, given, scale) = (Place::default(), Vec::new(), None);
        Self { plan, target, step: 500, hold: Duration::from_secs(10), repeats, place, given, scale }
    }

    /// Sets the distance between numbers of users that are tried (default 500).
    pub fn step(mut self, users: usize) -> Self {
        self.step = users;
        self
    }

    /// Sets how long all users of a probe are at work (default 10 s).
    pub fn hold(mut self, hold: Duration) -> Self {
        self.hold = hold;
        self
    }

    /// Sets how often a number of users has to hold (default 3).
    pub fn repeats(mut self, repeats: NonZeroUsize) -> Self {
        self.repeats = repeats;
        self
    }

    /// Searches the least processor and memory limits too, where the server's place lets them be set.
    ///
    /// The processes that are found there are watched beside those that the plan names.
    pub fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Measures the same service with this number of replicas, which runs at `url`, without think time; four of
    /// them give a law of [`Scalability`](super::Scalability).
    pub fn replicas(mut self, replicas: u32, url: impl Into<String>) -> Self {
        self.given.push((replicas, url.into()));
        self
    }

    /// Measures different numbers of replicas twice: with the same processor time in all, and with the same for each.
    pub fn scale(mut self, scale: Scale) -> Self {
        self.scale = Some(scale);
        self
    }

    /// Runs the survey and calls `on_level` after every probe.
    ///
    /// # Errors
    /// Those of [`Plan::run`](crate::Plan::run); [`ErrorKind::InvalidPlan`](crate::ErrorKind::InvalidPlan) if a
    /// step is 0 or above the target; those of [`CpuQuota`](crate::capacity::CpuQuota),
    /// [`MemoryLimit`](crate::capacity::MemoryLimit) and [`Hook`](crate::capacity::Hook).
    pub async fn run(&self, mut on_level: impl FnMut(&Level)) -> Result<Findings> {
        if self.step == 0 || self.step > self.target {
            let (step, target) = (self.step, self.target);
            return Err(Error::plan(format!("steps of {step} users do not lead to {target}")));
        }
        let room = Room::open(&self.place).await?;
        let at_rest = self.measure(&room, PROBE_USERS.min(self.target)).await?;
        on_level(&at_rest);
        let mut findings = self.begin(at_rest)?;
        self.search_users(&room, &mut findings, &mut on_level).await?;
        self.confirm(&room, &mut findings, &mut on_level).await?;
        self.search_cores(&room, &mut findings, &mut on_level).await?;
        self.search_memory(&room, &mut findings, &mut on_level).await?;
        drop(room);
        findings.sweeps = self.sweep(&mut on_level).await?;
        Ok(findings)
    }

    fn begin(&self, at_rest: Level) -> Result<Findings> {
        let think_time = self.plan.mean_think_time().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "users are fewer than 2^53")]
        let offered = self.target as f64 / (think_time + at_rest.mean_seconds).max(f64::MIN_POSITIVE);
        #[expect(clippy::cast_precision_loss, reason = "processors are few")]
        let processors = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let each = at_rest.cpu_seconds_per_request.filter(|each| *each > 0.0);
        let prediction = each.map(|each| Prediction {
            offered_requests_per_second: offered,
            cores: offered * each,
            knee_users: knee(processors / each, think_time, at_rest.mean_seconds),
        });
        let thresholds = self.plan.clone().build()?.thresholds().to_vec();
        Ok(Findings {
            host: self.plan.url(),
            p99_limit_seconds: thresholds.iter().filter_map(Threshold::latency_limit).reduce(f64::min),
            thresholds: thresholds.iter().map(ToString::to_string).collect(),
            target_users: self.target,
            think_time_seconds: think_time,
            at_rest,
            prediction,
            levels: Vec::new(),
            held_users: None,
            cut_short: false,
            confirmations: Vec::new(),
            limits: Vec::new(),
            least_cores: None,
            limit_cut_short: false,
            memory_limits: Vec::new(),
            least_memory_bytes: None,
            memory_cut_short: false,
            sweeps: Vec::new(),
        })
    }

    async fn search_users(
        &self,
        room: &Room,
        findings: &mut Findings,
        on_level: &mut impl FnMut(&Level),
    ) -> Result<()> {
        let rungs = self.target.div_ceil(self.step);
        let users = |rung: usize| ((rung + 1) * self.step).min(self.target);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "users are few"
        )]
        let predicted = findings.prediction.map_or(0, |found| (found.knee_users / self.step as f64) as usize);
        // Half of what is expected: the staircase up to it is what a reader wants to see.
        let ladder = Ladder {
            rungs,
            start: predicted.min(rungs) / 2,
            repeats: self.repeats,
            approach: Approach::Climb,
        };
        let found = highest_held(ladder, async |rung| {
            let level = self.measure(room, users(rung)).await?;
            on_level(&level);
            let outcome = level.outcome;
            findings.levels.push(level);
            Ok::<_, Error>(outcome)
        })
        .await?;
        findings.held_users = found.rung.map(users);
        findings.cut_short = found.is_cut_short();
        Ok(())
    }

    /// An open loop offers what the users offered, and a fifth more: strangers do not wait for a server that is slow.
    async fn confirm(
        &self,
        room: &Room,
        findings: &mut Findings,
        on_level: &mut impl FnMut(&Level),
    ) -> Result<()> {
        let Some(offered) = findings.held_level().map(|level| level.requests_per_second) else {
            return Ok(());
        };
        for rate in CONFIRMED_AT.map(|multiple| multiple * offered) {
            tokio::time::sleep(FAREWELL).await;
            let plan = self.watching(room)?.arrivals(Arrivals::poisson(rate)).run_time(self.hold).build()?;
            let report = plan.run(|_| ()).await?;
            let mut level = Level::of(0, &report);
            level.arrivals_per_second = Some(rate);
            on_level(&level);
            findings.confirmations.push(level);
        }
        Ok(())
    }

    /// The plan, with the processes that live in the room now.
    fn watching(&self, room: &Room) -> Result<PlanBuilder> {
        let processes = room.processes()?;
        Ok(processes.into_iter().fold(self.plan.clone(), PlanBuilder::watch_process))
    }

    /// Resolves when a request is answered as it should be.
    pub(super) async fn wait_until_it_answers(&self) -> Result<()> {
        let begun = Instant::now();
        let step = Step::new(1, 1.0).lasting(GLANCE);
        let plan =
            self.plan.clone().unwatched().think_time(ThinkTime::constant(1.0)).steps([step]).build()?;
        loop {
            let report = plan.run(|_| ()).await?;
            if report.requests() > report.failures() {
                return Ok(());
            }
            if begun.elapsed() > START_PATIENCE {
                let url = self.plan.url();
                let message =
                    format!("{url} does not answer {} s after it was started", START_PATIENCE.as_secs());
                return Err(Error::new(ErrorKind::Command, message));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    pub(super) async fn measure(&self, room: &Room, users: usize) -> Result<Level> {
        self.measure_with(self.watching(room)?, users).await
    }

    pub(super) async fn measure_with(&self, plan: PlanBuilder, users: usize) -> Result<Level> {
        #[expect(clippy::cast_precision_loss, reason = "users are fewer than 2^53")]
        let start = Duration::from_secs_f64(users as f64 / plan.users_per_second().max(1.0));
        // Users who started together think together: only after a while do they ask at all times equally.
        let settle = plan.mean_think_time().mul_f64(SETTLE_THINK_TIMES);
        let step = Step::new(users, plan.users_per_second());
        let plan = plan.steps([step.lasting(start + settle), step.lasting(self.hold)]).build()?;
        let report = plan.run(|_| ()).await?;
        Ok(Level::of(users, &report))
    }
}

impl crate::Report {
    /// The step of a probe that counts; an open loop has one alone.
    pub(super) fn counted_step(&self) -> Option<&StepReport> {
        self.steps().get(if self.is_open_loop() { 0 } else { COUNTED_STEP })
    }

    /// What the plan's thresholds say of the time in which all users were at work.
    pub(super) fn judge_while_held(&self, step: Option<&StepReport>) -> (Outcome, Vec<String>) {
        let Some(step) = step else {
            return (Outcome::Unknown, vec!["the users were never all at work".to_owned()]);
        };
        let doubts = self.doubts_while_held(step);
        if !doubts.is_empty() {
            return (Outcome::Unknown, doubts);
        }
        let broken = self.broken_while_held(step);
        (if broken.is_empty() { Outcome::Holds } else { Outcome::Breaks }, broken)
    }
}
