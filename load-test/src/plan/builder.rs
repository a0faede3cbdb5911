//! From words to a checked [`Plan`].

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::arrivals::Arrivals;
use crate::error::{Error, Result};
use crate::plan::{Aim, Checked, Limits, Load, Plan, Shape, Step};
use crate::request::{RequestMix, RequestTemplate};
use crate::scenario::Scenario;
use crate::target::Target;
use crate::think_time::ThinkTime;
use crate::threshold::Threshold;

/// Users of a plan that names no number: what the replaced system was asked to hold (`LOCUST_USERS`).
pub const DEFAULT_USERS: usize = 10_000;

/// Users started a second unless the plan says otherwise (`LOCUST_SPAWN_RATE`).
pub const DEFAULT_SPAWN_RATE: f64 = 500.0;

/// How long a plan runs that names no time: 20 s to start 10,000 users and 40 s to look at them.
pub const DEFAULT_RUN_TIME: Duration = Duration::from_secs(60);

/// How long users wait between requests unless the plan says otherwise: 1 to 2.5 s, as in the replaced system.
pub const DEFAULT_THINK_TIME: ThinkTime = ThinkTime::uniform(1.0, 2.5);

/// The response header that names the replica which answered, unless the plan names another.
pub const DEFAULT_ENDPOINT_HEADER: &str = "martello-endpoint";

/// The seed of every random choice, unless the plan names another: runs are repeatable by default.
const DEFAULT_SEED: u64 = 42;

/// Collects the parts of a plan; [`build`](Self::build) checks them together.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct PlanBuilder {
    urls: Vec<String>,
    users: usize,
    spawn_rate: f64,
    run_time: Option<Duration>,
    steps: Vec<Step>,
    arrivals: Option<Arrivals>,
    think_time: ThinkTime,
    requests: Vec<RequestTemplate>,
    limits: Limits,
    endpoint_header: String,
    thresholds: Vec<Threshold>,
    watched: Vec<u32>,
    seed: u64,
}

impl PlanBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            urls: vec![url],
            users: DEFAULT_USERS,
            spawn_rate: DEFAULT_SPAWN_RATE,
            run_time: Some(DEFAULT_RUN_TIME),
            steps: Vec::new(),
            arrivals: None,
            think_time: DEFAULT_THINK_TIME,
            requests: Vec::new(),
            limits: Limits::default(),
            endpoint_header: DEFAULT_ENDPOINT_HEADER.to_owned(),
            thresholds: Vec::new(),
            watched: Vec::new(),
            seed: DEFAULT_SEED,
        }
    }

    /// Adds another server under test: users, or the requests of an open loop, are spread over all of them evenly.
    pub fn and_target(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// Sets the number of users (default [`DEFAULT_USERS`]).
    pub fn users(mut self, users: usize) -> Self {
        self.users = users;
        self
    }

    /// Sets how many users start a second (default [`DEFAULT_SPAWN_RATE`]).
    pub fn spawn_rate(mut self, users_per_second: f64) -> Self {
        self.spawn_rate = users_per_second;
        self
    }

    /// Sets how long the test runs, the starting of users included (default [`DEFAULT_RUN_TIME`]).
    pub fn run_time(mut self, run_time: Duration) -> Self {
        self.run_time = Some(run_time);
        self
    }

    /// Lets the test run until it is stopped from outside.
    pub fn until_stopped(mut self) -> Self {
        self.run_time = None;
        self
    }

    /// Replaces users, spawn rate and run time by steps that follow each other.
    pub fn steps(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps.extend(steps);
        self
    }

    /// Replaces users and run time by the steps of a shape, at the spawn rate that was set before.
    pub fn shape(self, shape: &Shape) -> Self {
        let steps = shape.steps(self.spawn_rate);
        self.steps(steps)
    }

    /// Sets how long users wait between an answer and the next request (default [`DEFAULT_THINK_TIME`]).
    pub fn think_time(mut self, think_time: ThinkTime) -> Self {
        self.think_time = think_time;
        self
    }

    /// Makes it an open-loop test: requests start by the clock, users and think time are not used.
    pub fn arrivals(mut self, arrivals: Arrivals) -> Self {
        self.arrivals = Some(arrivals);
        self
    }

    /// Adds a request; without any, users `GET /`.
    pub fn request(mut self, template: RequestTemplate) -> Self {
        self.requests.push(template);
        self
    }

    /// Adds every request of a scenario file.
    pub fn scenario(mut self, scenario: Scenario) -> Self {
        self.requests.extend(scenario.into_requests());
        self
    }

    /// Sets timeouts and sizes.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Names the response header that says which replica answered (default `martello-endpoint`).
    pub fn endpoint_header(mut self, name: impl Into<String>) -> Self {
        self.endpoint_header = name.into();
        self
    }

    /// Adds a condition under which the test fails; without any, one failed request fails it.
    pub fn fail_if(mut self, threshold: Threshold) -> Self {
        self.thresholds.push(threshold);
        self
    }

    /// Measures CPU and memory of another process too, for example the server's; one that is named twice counts once.
    pub fn watch_process(mut self, pid: u32) -> Self {
        if !self.watched.contains(&pid) {
            self.watched.push(pid);
        }
        self
    }

    /// Sets the seed of every random choice (think times, arrivals, templates, bodies).
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The same plan, measuring no process but its own.
    pub(crate) fn unwatched(mut self) -> Self {
        self.watched.clear();
        self
    }

    /// The same plan against another address.
    pub(crate) fn aimed_at(mut self, url: &str) -> Self {
        self.urls = vec![url.to_owned()];
        self
    }

    pub(crate) fn url(&self) -> String {
        self.urls.join(",")
    }

    pub(crate) fn mean_think_time(&self) -> Duration {
        self.think_time.mean()
    }

    pub(crate) fn users_per_second(&self) -> f64 {
        self.spawn_rate
    }

    /// Checks everything and returns a plan that can run.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPlan`](crate::ErrorKind::InvalidPlan) or
    /// [`ErrorKind::InvalidText`](crate::ErrorKind::InvalidText), naming the part and what was expected.
    pub fn build(mut self) -> Result<Plan> {
        let requests = std::mem::take(&mut self.requests);
        let requests = if requests.is_empty() { vec![RequestTemplate::get("/")] } else { requests };
        let aims = self.urls.iter().map(|url| {
            let target = Target::parse(url)?;
            let mix = RequestMix::new(requests.clone(), &target)?;
            Ok(Aim { target, mix })
        });
        let aims = aims.collect::<Result<Vec<_>>>()?;
        let endpoint_header = HeaderName::try_from(self.endpoint_header.as_str()).map_err(|error| {
            Error::plan(format!("endpoint header {:?} is no header name", self.endpoint_header))
                .caused_by(error)
        })?;
        let load = self.load()?;
        let thresholds =
            if self.thresholds.is_empty() { vec![Threshold::any_failure()] } else { self.thresholds };
        Ok(Plan(Arc::new(Checked {
            aims,
            load,
            limits: self.limits.checked()?,
            endpoint_header,
            thresholds,
            watched: self.watched,
            seed: self.seed,
        })))
    }

    fn load(&self) -> Result<Load> {
        if let Some(arrivals) = self.arrivals {
            if !self.steps.is_empty() {
                return Err(Error::plan("arrivals and steps of users exclude each other"));
            }
            // The step checks the run time, which both kinds of load share.
            Step { users: 0, spawn_rate: 1.0, run_time: self.run_time }.checked()?;
            return Ok(Load::Open { arrivals: arrivals.checked()?, run_time: self.run_time });
        }
        let single = [Step { users: self.users, spawn_rate: self.spawn_rate, run_time: self.run_time }];
        let steps = if self.steps.is_empty() { &single[..] } else { &self.steps[..] };
        let steps = steps.iter().map(|step| step.checked()).collect::<Result<Vec<_>>>()?;
        if steps.iter().all(|step| step.users == 0) {
            return Err(Error::plan("0 users send no load; ask for at least one"));
        }
        if let Some((_, before)) = steps.split_last()
            && before.iter().any(|step| step.run_time.is_none())
        {
            return Err(Error::plan("only the last step can last until the test is stopped"));
        }
        Ok(Load::Closed { steps, think_time: self.think_time.checked()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_makes_no_sense_says_what_is_wrong() {
        let plan = || Plan::builder("http://127.0.0.1:1");
        let cases = [
            (plan().users(0), "0 users"),
            (plan().users(2_000_000), "2000000 users"),
            (plan().spawn_rate(0.0), "spawn rate 0"),
            (plan().spawn_rate(f64::NAN), "spawn rate NaN"),
            (plan().run_time(Duration::ZERO), "run time"),
            (plan().think_time(ThinkTime::uniform(2.0, 1.0)), "think time uniform 2..1"),
            (plan().arrivals(Arrivals::poisson(0.0)), "arrivals poisson 0"),
            (plan().arrivals(Arrivals::poisson(1.0)).steps([Step::new(1, 1.0)]), "exclude each other"),
            (plan().steps([Step::new(1, 1.0), Step::new(2, 1.0)]), "only the last step"),
            (plan().endpoint_header("a b"), "endpoint header"),
            (
                plan().limits(Limits { connect_timeout: Duration::ZERO, ..Limits::default() }),
                "connect timeout",
            ),
            (plan().limits(Limits { max_response_head: 100, ..Limits::default() }), "response heads of 100"),
            (plan().limits(Limits { max_connections: 0, ..Limits::default() }), "0 connections"),
            (Plan::builder("nonsense"), "no scheme"),
        ];
        for (builder, reason) in cases {
            let error = builder.build().unwrap_err();
            assert!(error.is_usage() && error.to_string().contains(reason), "{reason}: {error}");
        }
    }
}
