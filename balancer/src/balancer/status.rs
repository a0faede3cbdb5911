//! The handle that shows what a balancer is doing.

use super::{HttpBalance, admission::Gate};
use crate::{ConnectionStats, Snapshot, access_log::LogWriter};

/// Shows what a [`Balancer`](crate::Balancer) is doing; a cheap handle that may be cloned, and outlives it.
#[derive(Debug, Clone)]
pub struct Status {
    balance: HttpBalance,
    connections: ConnectionStats,
    gate: Gate,
    log: Option<LogWriter>,
}

impl Status {
    pub(super) fn new(
        balance: HttpBalance,
        connections: ConnectionStats,
        gate: Gate,
        log: Option<LogWriter>,
    ) -> Self {
        Self { balance, connections, gate, log }
    }

    /// Returns everything there is to see, as it is now.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.balance.snapshot();
        snapshot.connections = Some(self.connections.counts());
        snapshot.admission = Some(self.gate.counts());
        snapshot.log_lines_lost = self.log.as_ref().map_or(0, LogWriter::lost);
        snapshot
    }
}
