//! Who predicts what takes long: as many threads as there are processors, and a queue whose length in time is known.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::queue::{Job, Queue, Ticket};

/// Threads for predictions that would keep the connections of the event loop waiting.
///
/// More of them than processors would finish nothing earlier: they would only take turns, with each other and with the
/// thread that answers `/health`. Clones are the same workers.
#[derive(Debug, Clone)]
pub struct Workers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Arc<Queue>,
    count: NonZero<usize>,
    /// What waits or runs, in nanoseconds as they were expected when it came.
    ahead: AtomicU64,
    /// What one question usually takes, in nanoseconds.
    usual: AtomicU64,
}

/// A question's share of what is ahead of the next one, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    shared: Arc<Shared>,
    nanoseconds: u64,
}

/// How much a new question counts for what is usual.
const WEIGHT: u64 = 16;

impl Workers {
    /// Creates that many workers.
    #[must_use]
    pub fn new(count: NonZero<usize>) -> Self {
        let (queue, ahead, usual) = (Arc::default(), AtomicU64::new(0), AtomicU64::new(0));
        Self { shared: Arc::new(Shared { queue, count, ahead, usual }) }
    }

    /// Returns how long a question that comes now will wait, by what those before it usually take.
    #[must_use]
    pub fn expected_wait(&self) -> Duration {
        Duration::from_nanos(self.shared.ahead.load(Ordering::Relaxed) / self.shared.count.get() as u64)
    }

    /// Returns how much a question usually adds to the [wait](Self::expected_wait) of the next one.
    #[must_use]
    pub fn usual_step(&self) -> Duration {
        Duration::from_nanos(self.shared.usual.load(Ordering::Relaxed) / self.shared.count.get() as u64)
    }

    pub(super) fn enter(&self, expected: Duration) -> Place {
        let nanoseconds = u64::try_from(expected.as_nanos()).unwrap_or(u64::MAX).min(u64::MAX >> 16);
        self.shared.ahead.fetch_add(nanoseconds, Ordering::Relaxed);
        // Nothing is expected of a model that was never asked, and nothing learned from it.
        if nanoseconds > 0 {
            let usual = self.shared.usual.load(Ordering::Relaxed);
            let usual = if usual == 0 { nanoseconds } else { usual - usual / WEIGHT + nanoseconds / WEIGHT };
            self.shared.usual.store(usual, Ordering::Relaxed);
        }
        Place { shared: Arc::clone(&self.shared), nanoseconds }
    }

    /// Gives a job to a worker, first come, first served.
    pub(super) fn add(&self, job: Job) -> Ticket {
        self.shared.queue.add(job, self.shared.count)
    }

    /// Takes back a job that no worker has begun.
    pub(super) fn remove(&self, ticket: Ticket) {
        self.shared.queue.remove(ticket);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.ahead.fetch_sub(self.nanoseconds, Ordering::Relaxed);
    }
}
