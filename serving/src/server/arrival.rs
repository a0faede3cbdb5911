//! When the bytes of a request came, as far as the event loop knows.
//!
//! An event loop with more to do than it can has a queue like any other: tasks that were woken and not yet polled. Nobody
//! sees it from inside of a task. So the waker that a socket is given notes when it is called.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

/// A wait that is worth telling. 1 ms: a fifth of the shortest wait for which anybody is shed by default.
const WORTH_TELLING: Duration = Duration::from_millis(1);

/// The clock of one connection: when its socket was last found readable.
#[derive(Debug)]
pub(super) struct Arrival {
    opened: Instant,
    /// Nanoseconds after `opened`, or [`NEVER`]. Relaxed: it only says how late it is.
    woken: AtomicU64,
}

const NEVER: u64 = u64::MAX;

impl Arrival {
    /// Starts the clock: a connection that was just accepted counts as readable.
    pub(super) fn new() -> Self {
        Self { opened: Instant::now(), woken: AtomicU64::new(0) }
    }

    fn note(&self) {
        let after = u64::try_from(self.opened.elapsed().as_nanos()).unwrap_or(NEVER);
        self.woken.store(after, Ordering::Relaxed);
    }

    /// Takes the time at which the request that is there now came, if that is worth telling.
    pub(super) fn take(&self) -> Option<Instant> {
        // A request whose bytes were read with those of the one before has waited for that one alone.
        let woken = self.woken.swap(NEVER, Ordering::Relaxed);
        if woken == NEVER {
            return None;
        }
        let waited = self.opened.elapsed().saturating_sub(Duration::from_nanos(woken));
        (waited >= WORTH_TELLING).then(|| self.opened + Duration::from_nanos(woken))
    }
}

/// Wakes a task, and notes when.
#[derive(Debug)]
struct Noting {
    task: Waker,
    arrival: Arc<Arrival>,
}

impl Wake for Noting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.arrival.note();
        self.task.wake_by_ref();
    }
}

/// The waker of one socket, made once for the task that asks.
#[derive(Debug)]
pub(super) struct NotingWaker {
    arrival: Arc<Arrival>,
    made: Option<(Waker, Waker)>,
}

impl NotingWaker {
    pub(super) fn new(arrival: Arc<Arrival>) -> Self {
        Self { arrival, made: None }
    }

    /// Returns the waker to give to the socket in place of the task's own.
    pub(super) fn waker(&mut self, context: &Context<'_>) -> &Waker {
        let same = self.made.as_ref().is_some_and(|(task, _)| task.will_wake(context.waker()));
        if !same {
            self.made = None;
        }
        let arrival = &self.arrival;
        let (_, noting) = self.made.get_or_insert_with(|| {
            let task = context.waker().clone();
            (task.clone(), Arc::new(Noting { task, arrival: Arc::clone(arrival) }).into())
        });
        noting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_is_short_is_not_told() {
        let arrival = Arrival { opened: Instant::now(), woken: AtomicU64::new(NEVER) };
        assert_eq!(arrival.take(), None);
        arrival.note();
        assert!(arrival.take().is_none_or(|at| at.elapsed() >= WORTH_TELLING));
    }

    #[test]
    fn a_long_wait_is_told_once() {
        let opened = Instant::now().checked_sub(Duration::from_secs(3)).expect("the clock runs for longer");
        let arrival = Arrival { opened, woken: AtomicU64::new(1_000_000_000) };
        assert_eq!(arrival.take(), Some(opened + Duration::from_secs(1)));
        assert_eq!(arrival.take(), None);
    }
}
