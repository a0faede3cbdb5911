//! The clock of an open-loop test: a thread, because the runtime's timer rounds up to a millisecond.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::engine::Shared;
use crate::engine::pool::{Pool, Wanted};
use crate::failure::FailureKind;
use crate::record::Sample;

/// The longest sleep of the thread, and with it the longest wait for its end.
const LONGEST_NAP: Duration = Duration::from_millis(50);

/// Fires arrivals at their intended moments until it is stopped or dropped.
#[derive(Debug)]
pub(super) struct Pacer {
    /// One for each target.
    pools: Vec<Arc<Pool>>,
    /// Arrivals that need a connection which does not exist yet.
    starts: mpsc::UnboundedReceiver<Wanted>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pacer {
    pub(super) fn start(
        shared: &Arc<Shared>,
        offsets: impl Iterator<Item = Duration> + Send + 'static,
        started: Instant,
    ) -> Self {
        let (wanted, starts) = mpsc::unbounded_channel();
        let aims = shared.plan.aims.len();
        let each = shared.plan.limits.max_connections.div_ceil(aims);
        let pools: Vec<_> = (0..aims).map(|aim| Arc::new(Pool::new(aim, each, wanted.clone()))).collect();
        let stopped = Arc::new(AtomicBool::new(false));
        let thread = tokio::task::spawn_blocking({
            let (shared, pools, stopped) = (Arc::clone(shared), pools.clone(), Arc::clone(&stopped));
            move || fire(&shared, &pools, &stopped, offsets.map(|offset| started + offset))
        });
        Self { pools, starts, stopped, thread: Some(thread) }
    }

    /// The connections to the target at this place.
    pub(super) fn pool(&self, aim: usize) -> &Arc<Pool> {
        &self.pools[aim]
    }

    /// The next arrival that needs a new connection.
    pub(super) async fn start_wanted(&mut self) -> Option<Wanted> {
        self.starts.recv().await
    }

    /// Stops the clock and waits for its thread.
    pub(super) async fn stop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && let Err(failed) = thread.await
            && failed.is_panic()
        {
            std::panic::resume_unwind(failed.into_panic());
        }
    }

    /// An arrival that still needs a new connection, without waiting for one.
    pub(super) fn take_start(&mut self) -> Option<Wanted> {
        self.starts.try_recv().ok()
    }

    /// Lets idle connections go, and counts what waited for one to the very end as unanswered.
    pub(super) fn close(&self, shared: &Shared) {
        self.pools.iter().for_each(|pool| pool.close());
        for intended in self.pools.iter().flat_map(|pool| pool.take_waiting()) {
            let mut sample = Sample::of(0);
            sample.failure = Some(FailureKind::Unanswered);
            sample.end(intended);
            shared.recorder.record(0, &sample);
            shared.outstanding.end();
        }
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

fn fire(shared: &Shared, pools: &[Arc<Pool>], stopped: &AtomicBool, arrivals: impl Iterator<Item = Instant>) {
    // In turn: every target gets the same load.
    for (intended, pool) in arrivals.zip(pools.iter().cycle()) {
        loop {
            if stopped.load(Ordering::Relaxed) {
                return;
            }
            let wait = intended.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                break;
            }
            thread::sleep(wait.min(LONGEST_NAP));
        }
        shared.recorder.record_lateness(intended.elapsed());
        shared.outstanding.begin();
        pool.arrive(intended);
    }
}
