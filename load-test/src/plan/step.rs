//! One level of a closed-loop test: so many users, reached at this rate, for so long.

use std::time::Duration;

use crate::error::{Error, Result};

/// The most users that a plan accepts: beyond the ports of one address, far beyond one machine.
const MOST_USERS: usize = 1_000_000;

/// One level of a closed-loop test.
///
/// A plan of several steps is a staircase, a spike or a soak:
///
/// ```
/// use std::time::Duration;
/// use martello_load_test::{Plan, Step};
///
/// let steps = (1..=4).map(|level| Step::new(500 * level, 500.0).lasting(Duration::from_secs(10)));
/// let plan = Plan::builder("http://127.0.0.1:8000").steps(steps).build()?;
/// assert_eq!(plan.most_users(), 2000);
/// # Ok::<(), martello_load_test::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub(crate) users: usize,
    pub(crate) spawn_rate: f64,
    pub(crate) run_time: Option<Duration>,
}

/// How many users a running test shall have, and how many start or leave a second until then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    pub(crate) users: usize,
    pub(crate) spawn_rate: f64,
}

impl Goal {
    /// Creates a goal.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPlan`](crate::ErrorKind::InvalidPlan) for more users than a plan can hold, or a rate that
    /// is not above zero.
    pub fn new(users: usize, spawn_rate: f64) -> Result<Self> {
        Step::new(users, spawn_rate).checked()?;
        Ok(Self { users, spawn_rate })
    }
}

impl Step {
    /// Creates a step to `users` users, who start (or leave) at `spawn_rate` users a second; it lasts
    /// until the test is stopped, unless [`lasting`](Self::lasting) says otherwise.
    #[must_use]
    pub const fn new(users: usize, spawn_rate: f64) -> Self {
        Self { users, spawn_rate, run_time: None }
    }

    /// Sets how long the step lasts, the starting of its users included.
    #[must_use]
    pub const fn lasting(mut self, run_time: Duration) -> Self {
        self.run_time = Some(run_time);
        self
    }

    /// Returns the number of users that the step reaches.
    #[must_use]
    pub const fn users(&self) -> usize {
        self.users
    }

    pub(crate) fn checked(self) -> Result<Self> {
        if self.users > MOST_USERS {
            return Err(Error::plan(format!(
                "{} users are more than the {MOST_USERS} that a plan can hold",
                self.users
            )));
        }
        if !(self.spawn_rate > 0.0 && self.spawn_rate.is_finite()) {
            return Err(Error::plan(format!(
                "spawn rate {} must be more than 0 users a second",
                self.spawn_rate
            )));
        }
        if self.run_time.is_some_and(|run_time| run_time.is_zero()) {
            return Err(Error::plan("run time is zero, so nothing would be measured"));
        }
        Ok(self)
    }
}
