//! The clock of an open-loop test: a thread, because the runtime's timer rounds up to a millisecond.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::engine::Shared;
use crate::engine::pool::Pool;
use crate::failure::FailureKind;
use crate::record::Sample;

/// The longest sleep of the thread, and with it the longest wait for its end.
const LONGEST_NAP: Duration = Duration::from_millis(50);

/// Fires arrivals at their intended moments until it is stopped or dropped.
#[derive(Debug)]
pub(super) struct Pacer {
    pool: Arc<Pool>,
    /// Arrivals that need a connection which does not exist yet.
    starts: mpsc::UnboundedReceiver<Instant>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pacer {
    pub(super) fn start(
        shared: &Arc<Shared>,
        offsets: impl Iterator<Item = Duration> + Send + 'static,
        started: Instant,
    ) -> Self {
        let (pool, starts) = Pool::new(shared.plan.limits.max_connections);
        let pool = Arc::new(pool);
        let stopped = Arc::new(AtomicBool::new(false));
        let thread = tokio::task::spawn_blocking({
            let (shared, pool, stopped) = (Arc::clone(shared), Arc::clone(&pool), Arc::clone(&stopped));
            move || fire(&shared, &pool, &stopped, offsets.map(|offset| started + offset))
        });
        Self { pool, starts, stopped, thread: Some(thread) }
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// The next arrival that needs a new connection.
    pub(super) async fn start_wanted(&mut self) -> Option<Instant> {
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
    pub(super) fn take_start(&mut self) -> Option<Instant> {
        self.starts.try_recv().ok()
    }

    /// Lets idle connections go, and counts what waited for one to the very end as unanswered.
    pub(super) fn close(&self, shared: &Shared) {
        self.pool.close();
        for intended in self.pool.take_waiting() {
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

fn fire(shared: &Shared, pool: &Pool, stopped: &AtomicBool, arrivals: impl Iterator<Item = Instant>) {
    for intended in arrivals {
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
