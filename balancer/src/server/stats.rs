//! nginx's seven numbers: how many connections there are and what they are doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts a server's connections and requests; a handle that clones share.
///
/// The seven numbers are those of nginx's `stub_status`
/// (<https://nginx.org/en/docs/http/ngx_http_stub_status_module.html>).
#[derive(Clone, Debug, Default)]
pub struct ConnectionStats {
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    handled: AtomicU64,
    requests: AtomicU64,
    active: AtomicU64,
    reading: AtomicU64,
    writing: AtomicU64,
}

/// The seven numbers at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Connections accepted since the start.
    pub accepted: u64,
    /// Connections that were served; fewer than accepted only when a limit turned some away.
    pub handled: u64,
    /// Requests since the start.
    pub requests: u64,
    /// Connections open now.
    pub active: u64,
    /// Connections whose request head is being read.
    pub reading: u64,
    /// Connections whose request is being processed or answered.
    pub writing: u64,
    /// Connections open without a request.
    pub waiting: u64,
}

impl ConnectionStats {
    /// Creates counters that stand at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the seven numbers now.
    pub fn counts(&self) -> ConnectionCounts {
        let counters = &*self.counters;
        let reading = counters.reading.load(Relaxed);
        let writing = counters.writing.load(Relaxed);
        // Loaded last and floored: the loads are not one atomic step, and the sum must still come out.
        let active = counters.active.load(Relaxed).max(reading + writing);
        ConnectionCounts {
            accepted: counters.accepted.load(Relaxed),
            handled: counters.handled.load(Relaxed),
            requests: counters.requests.load(Relaxed),
            active,
            reading,
            writing,
            waiting: active - reading - writing,
        }
    }

    pub(crate) fn accept(&self) {
        self.counters.accepted.fetch_add(1, Relaxed);
    }

    /// Counts a connection from now until the returned value is dropped.
    pub(crate) fn connection(&self) -> ConnectionCount {
        self.counters.handled.fetch_add(1, Relaxed);
        self.counters.active.fetch_add(1, Relaxed);
        ConnectionCount { counters: Arc::clone(&self.counters), phase: Phase::Waiting }
    }
}

/// What one connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Waiting,
    Reading,
    Writing,
}

/// One connection's part in the counts, taken back when it is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionCount {
    counters: Arc<Counters>,
    phase: Phase,
}

impl ConnectionCount {
    /// Moves the connection to another phase.
    pub(crate) fn enter(&mut self, phase: Phase) {
        if phase == self.phase {
            return;
        }
        if let Some(gauge) = self.gauge() {
            gauge.fetch_sub(1, Relaxed);
        }
        if self.phase == Phase::Waiting {
            self.counters.requests.fetch_add(1, Relaxed);
        }
        self.phase = phase;
        if let Some(gauge) = self.gauge() {
            gauge.fetch_add(1, Relaxed);
        }
    }

    // Waiting has no gauge: it is what is left of the active, which saves two atomic operations a request.
    fn gauge(&self) -> Option<&AtomicU64> {
        match self.phase {
            Phase::Waiting => None,
            Phase::Reading => Some(&self.counters.reading),
            Phase::Writing => Some(&self.counters.writing),
        }
    }
}

impl Drop for ConnectionCount {
    fn drop(&mut self) {
        if let Some(gauge) = self.gauge() {
            gauge.fetch_sub(1, Relaxed);
        }
        self.counters.active.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seven_numbers_follow_a_connection() {
        let stats = ConnectionStats::new();
        stats.accept();
        let mut connection = stats.connection();
        let open = ConnectionCounts { accepted: 1, handled: 1, active: 1, ..Default::default() };
        assert_eq!(stats.counts(), ConnectionCounts { waiting: 1, ..open });
        connection.enter(Phase::Reading);
        assert_eq!(stats.counts(), ConnectionCounts { reading: 1, requests: 1, ..open });
        connection.enter(Phase::Writing);
        assert_eq!(stats.counts(), ConnectionCounts { writing: 1, requests: 1, ..open });
        drop(connection);
        assert_eq!(stats.counts(), ConnectionCounts { active: 0, requests: 1, ..open });
    }
}
