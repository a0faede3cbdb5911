//! Whose turn it is on a connection.

use std::sync::atomic::{AtomicU32, Ordering};

/// Counts the turns of one connection: even while the client is to send a request, odd while a request is answered.
///
/// The socket's guard must know, since the same silence is an idle client at one time and a busy model at another.
/// Relaxed: both sides run in the connection's own task.
#[derive(Debug, Default)]
pub(super) struct Turns {
    count: AtomicU32,
}

impl Turns {
    /// Returns the number of the turn; it wraps around, so it is only good for comparing.
    pub(super) fn number(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn is_clients(turn: u32) -> bool {
        turn.is_multiple_of(2)
    }

    /// A request's head was read.
    pub(super) fn begin_answer(&self) {
        self.count.fetch_or(1, Ordering::Relaxed);
    }

    /// The answer was handed to the connection.
    pub(super) fn end_answer(&self) {
        let turn = self.number();
        if !Self::is_clients(turn) {
            self.count.store(turn.wrapping_add(1), Ordering::Relaxed);
        }
    }
}
