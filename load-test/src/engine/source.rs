//! Who makes the load of a run: users on a staircase, or the clock.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::Shared;
use crate::engine::ledger::Holding;
use crate::engine::pacer::Pacer;
use crate::engine::pool::Wanted;
use crate::engine::staircase::Staircase;
use crate::plan::Load;
use crate::think_time::ThinkTime;

#[derive(Debug)]
pub(super) enum Source {
    Users { staircase: Staircase, think_time: ThinkTime },
    Clock { pacer: Pacer, end: Option<Instant> },
}

impl Source {
    pub(super) fn start(shared: &Arc<Shared>, started: Instant) -> Self {
        match &shared.plan.load {
            Load::Closed { steps, think_time } => {
                Self::Users { staircase: Staircase::new(steps.clone()), think_time: *think_time }
            }
            Load::Open { arrivals, run_time } => {
                let end = run_time.map(|run_time| started + run_time);
                let limit = run_time.unwrap_or(Duration::MAX);
                let offsets = arrivals.offsets(shared.plan.seed).take_while(move |offset| *offset < limit);
                Self::Clock { pacer: Pacer::start(shared, offsets, started), end }
            }
        }
    }

    /// The place of the step whose users are all at work; an open loop is one step from the start.
    pub(super) fn holding(&self) -> Option<Holding> {
        match self {
            Self::Users { staircase, .. } => {
                let place = staircase.holding()?;
                Some(Holding { place, users: staircase.goal() })
            }
            Self::Clock { .. } => Some(Holding { place: 0, users: 0 }),
        }
    }

    /// The next arrival that needs a new connection; never resolves for users.
    pub(super) async fn start_wanted(&mut self) -> Option<Wanted> {
        match self {
            Self::Users { .. } => std::future::pending().await,
            Self::Clock { pacer, .. } => pacer.start_wanted().await,
        }
    }
}
