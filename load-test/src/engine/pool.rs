//! The connections of an open-loop test, and the arrivals that wait for one.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// An arrival for which a new connection has to be started, and the place of its target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) aim: usize,
    pub(super) arrival: Instant,
}

/// The connections to one target: hands arrivals to idle connections, asks for new ones while it may, and queues the rest.
///
/// The queue is bounded by the plan: an arrival that waited for the response timeout fails at once
/// when its turn comes, so at most two timeouts' worth of arrivals ever wait.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<State>,
    wanted: mpsc::UnboundedSender<Wanted>,
    aim: usize,
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
    /// A pool of at most `most` connections to the target at `aim`, which says in `wanted` when it needs a new one.
    pub(super) fn new(aim: usize, most: usize, wanted: mpsc::UnboundedSender<Wanted>) -> Self {
        Self { state: Mutex::default(), wanted, aim, most }
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
        if state.connections < self.most && self.wanted.send(Wanted { aim: self.aim, arrival }).is_ok() {
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
