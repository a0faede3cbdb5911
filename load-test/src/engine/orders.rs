//! What users are told while they work: go on, leave, or drop everything.

use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Send requests.
    Running,
    /// Finish the request in flight and start no other.
    Draining,
    /// Give up the request in flight.
    Abandoning,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Orders {
    pub(super) phase: Phase,
    /// Users with a lower number leave. The number only grows, so that a user told to leave is never
    /// called back by a later rise.
    pub(super) retired_below: u64,
}

impl Orders {
    pub(super) fn channel() -> (watch::Sender<Self>, watch::Receiver<Self>) {
        watch::channel(Self { phase: Phase::Running, retired_below: 0 })
    }

    fn dismiss(self, number: u64) -> bool {
        self.phase != Phase::Running || number < self.retired_below
    }
}

/// Resolves when user `number` has to leave; a test that was dropped dismisses everybody.
pub(super) async fn dismissed(orders: &mut watch::Receiver<Orders>, number: u64) {
    // An error means that nobody gives orders any more.
    let _ = orders.wait_for(|orders| orders.dismiss(number)).await;
}

/// Resolves when requests in flight have to be given up.
pub(super) async fn abandoned(orders: &mut watch::Receiver<Orders>) {
    let _ = orders.wait_for(|orders| orders.phase == Phase::Abandoning).await;
}

/// Whether user `number` has to leave already.
pub(super) fn is_dismissed(orders: &watch::Receiver<Orders>, number: u64) -> bool {
    orders.borrow().dismiss(number)
}
