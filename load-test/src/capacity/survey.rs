//! The course of a survey: probe, predict, search, limit, sweep.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::capacity::{
    Approach, CpuQuota, Findings, Ladder, Level, Outcome, Prediction, Scalability, highest_held, knee,
};
use crate::error::{Error, Result};
use crate::plan::{PlanBuilder, Step};
use crate::report::StepReport;
use crate::think_time::ThinkTime;

/// Users of the probe at low load: enough requests that what a server does without any weighs little, far below
/// what servers break at.
const PROBE_USERS: usize = 200;

/// Users of each measurement of a sweep, who do not think: each replica of a small machine is busy with them.
const SWEEP_USERS: usize = 64;

/// How many mean think times pass before a probe counts.
const SETTLE_THINK_TIMES: f64 = 2.0;

/// The place of the step that counts, behind the one in which users start and settle.
const COUNTED_STEP: usize = 1;

/// The distance between processor limits that are tried, in cores.
const LIMIT_STEP: f64 = 0.05;

/// The first limit that is tried is this much above what the server took without one.
const LIMIT_ROOM: f64 = 2.0;

/// Finds out how many users a server holds and what it needs for them; made from the plan that each probe runs.
///
/// Everything that the plan says counts (requests, think time, limits, thresholds, watched processes, seed), but
/// for users and run time, which the survey sets.
#[derive(Clone, Debug)]
#[must_use = "a survey does nothing until `run` is called"]
pub struct Survey {
    plan: PlanBuilder,
    target: usize,
    step: usize,
    hold: Duration,
    repeats: NonZeroUsize,
    control_group: Option<PathBuf>,
    sweep: Vec<(u32, String)>,
}

impl Survey {
    /// Asks whether `target` users hold, in steps of 500 held for 10 s each, and trusts what held three times.
    pub fn new(plan: PlanBuilder, target: usize) -> Self {
        let repeats = NonZeroUsize::MIN.saturating_add(2);
        let (control_group, sweep) = (None, Vec::new());
        Self { plan, target, step: 500, hold: Duration::from_secs(10), repeats, control_group, sweep }
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

    /// Searches the least processor limit too, by setting the [`CpuQuota`] of this control group, in which the
    /// server runs.
    pub fn control_group(mut self, folder: impl Into<PathBuf>) -> Self {
        self.control_group = Some(folder.into());
        self
    }

    /// Measures the same service with this number of replicas, which runs at `url`, without think time; four of
    /// them give a law of [`Scalability`].
    pub fn replicas(mut self, replicas: u32, url: impl Into<String>) -> Self {
        self.sweep.push((replicas, url.into()));
        self
    }

    /// Runs the survey and calls `on_level` after every probe.
    ///
    /// # Errors
    /// Those of [`Plan::run`](crate::Plan::run); [`ErrorKind::InvalidPlan`](crate::ErrorKind::InvalidPlan) if a
    /// step is 0 or above the target; those of [`CpuQuota`] and [`Scalability::fit`].
    pub async fn run(&self, mut on_level: impl FnMut(&Level)) -> Result<Findings> {
        if self.step == 0 || self.step > self.target {
            let (step, target) = (self.step, self.target);
            return Err(Error::plan(format!("steps of {step} users do not lead to {target}")));
        }
        let at_rest = self.measure(PROBE_USERS.min(self.target)).await?;
        on_level(&at_rest);
        let mut findings = self.begin(at_rest);
        self.search_users(&mut findings, &mut on_level).await?;
        self.search_limit(&mut findings, &mut on_level).await?;
        findings.scalability = self.sweep(&mut on_level).await?;
        Ok(findings)
    }

    fn begin(&self, at_rest: Level) -> Findings {
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
        Findings {
            host: self.plan.url(),
            target_users: self.target,
            think_time_seconds: think_time,
            at_rest,
            prediction,
            levels: Vec::new(),
            held_users: None,
            cut_short: false,
            limits: Vec::new(),
            least_cores: None,
            limit_cut_short: false,
            scalability: None,
        }
    }

    async fn search_users(&self, findings: &mut Findings, on_level: &mut impl FnMut(&Level)) -> Result<()> {
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
            let level = self.measure(users(rung)).await?;
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

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "processors are few"
    )]
    async fn search_limit(&self, findings: &mut Findings, on_level: &mut impl FnMut(&Level)) -> Result<()> {
        let (Some(folder), Some(users)) = (&self.control_group, findings.held_users) else { return Ok(()) };
        let quota = CpuQuota::open(folder)?;
        let needed = findings.held_level().and_then(Level::cores).unwrap_or(1.0);
        let rungs = (needed * LIMIT_ROOM / LIMIT_STEP).ceil().max(1.0) as usize;
        // The higher the rung, the fewer cores.
        let cores = |rung: usize| (rungs - rung) as f64 * LIMIT_STEP;
        let ladder = Ladder { rungs, start: rungs / 2, repeats: self.repeats, approach: Approach::Bisect };
        let found = highest_held(ladder, async |rung| {
            quota.limit(cores(rung))?;
            let before = quota.throttled_periods()?;
            let mut level = self.measure(users).await?;
            level.limit_cores = Some(cores(rung));
            level.throttled_periods = Some(quota.throttled_periods()?.saturating_sub(before));
            on_level(&level);
            let outcome = level.outcome;
            findings.limits.push(level);
            Ok::<_, Error>(outcome)
        })
        .await?;
        findings.least_cores = found.rung.map(cores);
        findings.limit_cut_short = found.is_cut_short();
        Ok(())
    }

    async fn sweep(&self, on_level: &mut impl FnMut(&Level)) -> Result<Option<Scalability>> {
        let mut points = Vec::new();
        for (replicas, url) in &self.sweep {
            let plan = self.plan.clone().aimed_at(url).think_time(ThinkTime::constant(0.0));
            let level = self.measure_with(plan, SWEEP_USERS).await?;
            on_level(&level);
            points.push((*replicas, level.requests_per_second));
        }
        if points.is_empty() { Ok(None) } else { Scalability::fit(&points).map(Some) }
    }

    async fn measure(&self, users: usize) -> Result<Level> {
        self.measure_with(self.plan.clone(), users).await
    }

    async fn measure_with(&self, plan: PlanBuilder, users: usize) -> Result<Level> {
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
    /// The step of a probe that counts.
    pub(super) fn counted_step(&self) -> Option<&StepReport> {
        self.steps().get(COUNTED_STEP)
    }

    /// What the plan's thresholds say of the time in which all users were at work.
    pub(super) fn judge_while_held(&self) -> (Outcome, Vec<String>) {
        let Some(step) = self.counted_step() else {
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
