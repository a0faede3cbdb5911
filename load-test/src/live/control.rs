//! The test behind the page: at most one at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::error::Result;
use crate::plan::{Goal, PlanBuilder};
use crate::report::Report;

#[derive(Debug)]
pub(super) struct Control {
    plan: PlanBuilder,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    goal: Goal,
    running: Option<Running>,
    report: Option<Arc<Report>>,
    error: Option<String>,
}

#[derive(Debug)]
struct Running {
    goals: watch::Sender<Goal>,
    stop: Arc<Notify>,
    task: JoinHandle<()>,
}

/// What the page shows.
#[derive(Debug)]
pub(super) struct View {
    pub(super) goal: Goal,
    pub(super) is_running: bool,
    pub(super) report: Option<Arc<Report>>,
    pub(super) error: Option<String>,
}

impl Control {
    pub(super) fn new(plan: PlanBuilder, goal: Goal) -> Result<Self> {
        // Mistakes are told now and not at the first start.
        plan.clone().users(1).build()?;
        Ok(Self { plan, state: Mutex::new(State { goal, running: None, report: None, error: None }) })
    }

    pub(super) fn url(&self) -> String {
        self.plan.url()
    }

    pub(super) fn view(&self) -> View {
        let state = self.lock();
        let is_running = state.running.as_ref().is_some_and(|running| !running.task.is_finished());
        View { goal: state.goal, is_running, report: state.report.clone(), error: state.error.clone() }
    }

    /// Starts a test, or sends the one that runs to another number of users.
    pub(super) fn swarm(self: &Arc<Self>, goal: Goal) -> Result<()> {
        let mut state = self.lock();
        state.goal = goal;
        if let Some(running) = state.running.as_ref().filter(|running| !running.task.is_finished()) {
            running.goals.send_replace(goal);
            return Ok(());
        }
        let plan = self.plan.clone().users(goal.users).spawn_rate(goal.spawn_rate).build()?;
        let (goals, received) = watch::channel(goal);
        let stop = Arc::new(Notify::new());
        let (control, stopped) = (Arc::clone(self), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let watching = Arc::clone(&control);
            let outcome = plan
                .run_steered(stopped.notified(), received, |progress| {
                    watching.lock().report = Some(Arc::new(progress.report()));
                })
                .await;
            let mut state = control.lock();
            match outcome {
                Ok(report) => state.report = Some(Arc::new(report)),
                Err(error) => state.error = Some(error.to_string()),
            }
        });
        (state.report, state.error) = (None, None);
        state.running = Some(Running { goals, stop, task });
        Ok(())
    }

    /// Ends the test that runs, if one does; requests in flight get their grace.
    pub(super) fn stop(&self) {
        if let Some(running) = &self.lock().running {
            running.stop.notify_one();
        }
    }

    /// Ends the test and waits for its report.
    pub(super) async fn finish(&self) -> Option<Report> {
        self.stop();
        let running = self.lock().running.take();
        if let Some(running) = running {
            // A test that panicked has left its last report.
            let _ = running.task.await;
        }
        self.lock().report.as_deref().cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
