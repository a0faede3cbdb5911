//! A load test that was checked and can run.

mod builder;
mod limits;
mod shape;
mod step;

pub use builder::{
    DEFAULT_ENDPOINT_HEADER, DEFAULT_RUN_TIME, DEFAULT_SPAWN_RATE, DEFAULT_THINK_TIME, DEFAULT_USERS,
    PlanBuilder,
};
pub use limits::Limits;
pub use shape::{Shape, parse_run_time};
pub use step::{Goal, Step};

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use tokio::sync::watch;

use crate::arrivals::Arrivals;
use crate::engine;
use crate::error::Result;
use crate::preflight::{self, Preflight};
use crate::report::Report;
use crate::request::{PreparedRequest, RequestMix};
use crate::target::Target;
use crate::think_time::ThinkTime;
use crate::threshold::Threshold;
use crate::tick::{Progress, Tick};

/// A load test that is known to make sense; made by [`Plan::builder`], run as often as you like.
///
/// Running needs a tokio runtime with time and I/O. One thread is enough for 10,000 users.
#[derive(Clone, Debug)]
pub struct Plan(pub(crate) Arc<Checked>);

/// The parts of a plan, each parsed.
#[derive(Debug)]
pub(crate) struct Checked {
    /// At least one; users are spread over them evenly.
    pub(crate) aims: Vec<Aim>,
    pub(crate) load: Load,
    pub(crate) limits: Limits,
    pub(crate) endpoint_header: HeaderName,
    pub(crate) thresholds: Vec<Threshold>,
    pub(crate) watched: Vec<u32>,
    pub(crate) seed: u64,
}

/// One server under test, and the requests as they are sent to it.
#[derive(Debug)]
pub(crate) struct Aim {
    pub(crate) target: Target,
    pub(crate) mix: RequestMix,
}

impl Checked {
    /// The address under test as it was written, or all of them with commas between.
    pub(crate) fn url(&self) -> String {
        self.aims.iter().map(|aim| aim.target.url()).collect::<Vec<_>>().join(",")
    }

    /// The requests, whose names and methods are the same for every target.
    pub(crate) fn requests(&self) -> &[PreparedRequest] {
        self.aims.first().map_or(&[], |aim| aim.mix.requests())
    }
}

/// Who sends requests.
#[derive(Clone, Debug)]
pub(crate) enum Load {
    /// Users who wait for each answer and think before the next request.
    Closed { steps: Vec<Step>, think_time: ThinkTime },
    /// Requests that start by the clock.
    Open { arrivals: Arrivals, run_time: Option<Duration> },
}

impl Plan {
    /// Starts a plan against `url`, for example `http://127.0.0.1:8000`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use martello_load_test::{Plan, RequestTemplate, ThinkTime};
    ///
    /// let plan = Plan::builder("http://127.0.0.1:8000")
    ///     .users(1000)
    ///     .spawn_rate(500.0)
    ///     .run_time(Duration::from_secs(10))
    ///     .think_time(ThinkTime::uniform(1.0, 2.5))
    ///     .request(RequestTemplate::post("/predict").json(r#"{"feature1":5.3}"#))
    ///     .build()?;
    /// assert_eq!(plan.most_users(), 1000);
    ///
    /// let mistake = Plan::builder("http://127.0.0.1:8000").spawn_rate(-1.0).build().unwrap_err();
    /// assert_eq!(mistake.to_string(), "spawn rate -1 must be more than 0 users a second");
    /// # Ok::<(), martello_load_test::Error>(())
    /// ```
    pub fn builder(url: impl Into<String>) -> PlanBuilder {
        PlanBuilder::new(url.into())
    }

    /// Returns the address under test, as it was written; several are separated by commas.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Returns the conditions under which the test fails.
    #[must_use]
    pub fn thresholds(&self) -> &[Threshold] {
        &self.0.thresholds
    }

    /// Returns the largest number of users (or, in an open loop, connections) at any time of the plan.
    #[must_use]
    pub fn most_users(&self) -> usize {
        match &self.0.load {
            Load::Closed { steps, .. } => steps.iter().map(|step| step.users).max().unwrap_or(0),
            Load::Open { .. } => self.0.limits.max_connections,
        }
    }

    /// Asks whether this machine can carry the plan, and raises the descriptor limit as far as allowed.
    ///
    /// [`Plan::run`] does the same first; call it yourself to see the warnings before the run.
    ///
    /// # Errors
    /// [`ErrorKind::TooFewResources`](crate::ErrorKind::TooFewResources), with the numbers, if there are
    /// fewer file descriptors or ephemeral ports than users.
    pub fn preflight(&self) -> Result<Preflight> {
        preflight::inspect(self)
    }

    /// Runs the plan to its end and calls `on_tick` once a second.
    ///
    /// Dropping the future stops all users at once.
    ///
    /// # Errors
    /// If the host name has no address, the [preflight](Self::preflight) fails or a watched process does
    /// not exist. Requests that fail are no errors: they are in the report.
    pub async fn run(&self, on_tick: impl FnMut(&Tick)) -> Result<Report> {
        self.run_until(std::future::pending(), on_tick).await
    }

    /// Runs the plan until its end or until `stop` resolves, whichever is first; the report covers what
    /// was measured until then.
    ///
    /// Requests in flight get [`Limits::stop_grace`] to finish.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_until(
        &self,
        stop: impl Future<Output = ()>,
        on_tick: impl FnMut(&Tick),
    ) -> Result<Report> {
        let mut on_tick = on_tick;
        engine::conduct(self, stop, None, |progress| on_tick(progress.tick())).await
    }

    /// As [`run_until`](Self::run_until), for those who want to see more of each second than its [`Tick`].
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_watched(
        &self,
        stop: impl Future<Output = ()>,
        on_second: impl FnMut(&Progress<'_>),
    ) -> Result<Report> {
        engine::conduct(self, stop, None, on_second).await
    }

    /// Runs the plan until `stop` resolves or it ends, with as many users as `goals` says from its next change on,
    /// and calls `on_second` once a second with a report that can be asked for.
    ///
    /// A goal ends the step under way and the steps after it. An open-loop plan has no users and ignores goals.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_steered(
        &self,
        stop: impl Future<Output = ()>,
        goals: watch::Receiver<Goal>,
        on_second: impl FnMut(&Progress<'_>),
    ) -> Result<Report> {
        engine::conduct(self, stop, Some(goals), on_second).await
    }
}
