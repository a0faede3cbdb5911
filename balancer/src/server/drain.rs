//! How a server tells its connections that it is about to end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Context;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// What a server wants of its connections, in the order in which it wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Go on.
    Serving,
    /// Let each answer be the connection's last.
    LastAnswers,
    /// Close what is idle.
    NoMoreRequests,
}

/// The server's side: one switch for all connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Drain {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stage: AtomicU8,
    idle_ends: Arc<Notify>,
}

impl Drain {
    pub(super) fn enter(&self, stage: Stage) {
        self.shared.stage.store(stage as u8, Ordering::Release);
        if stage == Stage::NoMoreRequests {
            self.shared.idle_ends.notify_waiters();
        }
    }

    pub(super) fn stage(&self) -> Stage {
        match self.shared.stage.load(Ordering::Acquire) {
            0 => Stage::Serving,
            1 => Stage::LastAnswers,
            _ => Stage::NoMoreRequests,
        }
    }

    /// A connection's side.
    pub(super) fn listen(&self) -> DrainListener {
        let mut woken = Box::pin(Arc::clone(&self.shared.idle_ends).notified_owned());
        woken.as_mut().enable();
        DrainListener { drain: self.clone(), woken, polled: false }
    }
}

/// One connection's ear.
///
/// A task's waker stays the same for the task's life, so it is registered once, not once a request: the price of
/// looking is one atomic load.
#[derive(Debug)]
pub(super) struct DrainListener {
    drain: Drain,
    woken: Pin<Box<OwnedNotified>>,
    polled: bool,
}

impl DrainListener {
    pub(super) fn stage(&self) -> Stage {
        self.drain.stage()
    }

    /// Returns the stage and sees to it that the task is woken when idle connections are to close.
    pub(super) fn poll_stage(&mut self, cx: &mut Context<'_>) -> Stage {
        if !self.polled {
            self.polled = true;
            let _ = self.woken.as_mut().poll(cx);
        }
        self.stage()
    }
}
