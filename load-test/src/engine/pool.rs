//! The connections of an open-loop test, and the arrivals that wait for one.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Hands arrivals to idle connections, asks for new ones while it may, and queues the rest.
///
/// The queue is bounded by the plan: an arrival that waited for the response timeout fails at once
/// when its turn comes, so at most two timeouts' worth of arrivals ever wait.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<State>,
    wanted: mpsc::UnboundedSender<Instant>,
    most: usize,
}

#[derive(Debug, Default)]
struct State {
    /// Last in, first out: the load stays on few, warm connections.
    idle: Vec<oneshot::Sender<Instant>>,
    waiting: VecDeque<Instant>,
    connections: usize,
    closed: bool,
}

impl Pool {
    /// A pool of at most `most` connections, and the arrivals for which a new one has to be started.
    pub(super) fn new(most: usize) -> (Self, mpsc::UnboundedReceiver<Instant>) {
        let (wanted, starts) = mpsc::unbounded_channel();
        (Self { state: Mutex::default(), wanted, most }, starts)
    }

    /// Takes a request that was meant to start at `intended`.
    pub(super) fn arrive(&self, intended: Instant) {
        let mut state = self.lock();
        let mut arrival = intended;
        while let Some(idle) = state.idle.pop() {
            match idle.send(arrival) {
                Ok(()) => return,
                Err(returned) => arrival = returned,
            }
        }
        if state.connections < self.most && self.wanted.send(arrival).is_ok() {
            state.connections += 1;
        } else {
            state.waiting.push_back(arrival);
        }
    }

    /// The next arrival for a connection that has become free; `None` when the test is over.
    pub(super) async fn next(&self) -> Option<Instant> {
        let handed = {
            let mut state = self.lock();
            if let Some(arrival) = state.waiting.pop_front() {
                return Some(arrival);
            }
            if state.closed {
                return None;
            }
            let (sender, receiver) = oneshot::channel();
            state.idle.push(sender);
            receiver
        };
        handed.await.ok()
    }

    /// Lets idle connections go; busy ones go on until nothing waits.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.idle.clear();
    }

    /// Takes away what still waits.
    pub(super) fn take_waiting(&self) -> VecDeque<Instant> {
        std::mem::take(&mut self.lock().waiting)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
