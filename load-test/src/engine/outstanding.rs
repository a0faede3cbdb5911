//! How many requests are under way, and a way to wait until none is.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts requests from their start (in an open loop: from their intended start) to their record.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    count: AtomicUsize,
    none: Notify,
}

impl Outstanding {
    pub(super) fn begin(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn end(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Kept for a later waiter, who looks at the count before it believes it.
            self.none.notify_one();
        }
    }

    /// Resolves once nothing is under way; for one waiter at a time.
    pub(super) async fn none(&self) {
        while self.count.load(Ordering::Acquire) > 0 {
            self.none.notified().await;
        }
    }
}
