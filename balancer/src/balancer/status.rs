//! The handle that shows what a balancer is doing.

use super::HttpBalance;
use crate::{ConnectionStats, Snapshot};

/// Shows what a [`Balancer`](crate::Balancer) is doing; a cheap handle that may be cloned, and outlives it.
#[derive(Debug, Clone)]
pub struct Status {
    balance: HttpBalance,
    connections: ConnectionStats,
}

impl Status {
    pub(super) fn new(balance: HttpBalance, connections: ConnectionStats) -> Self {
        Self { balance, connections }
    }

    /// Returns everything there is to see, as it is now.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.balance.snapshot();
        snapshot.connections = Some(self.connections.counts());
        snapshot
    }
}
