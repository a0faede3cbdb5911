//! The signal that it is time to stop.

use std::sync::Arc;

use tokio::sync::watch;

/// A signal that is given once and seen by every clone: this replica gets no new requests.
///
/// ```
/// use martello_serving::server::Drain;
///
/// let drain = Drain::new();
/// let seen_by_health = drain.clone();
/// drain.begin();
/// assert!(seen_by_health.has_begun());
/// ```
#[derive(Debug, Clone)]
pub struct Drain {
    begun: Arc<watch::Sender<bool>>,
}

impl Drain {
    /// Creates a signal that was not given yet.
    #[must_use]
    pub fn new() -> Self {
        Self { begun: Arc::new(watch::Sender::new(false)) }
    }

    /// Gives the signal.
    pub fn begin(&self) {
        self.begun.send_replace(true);
    }

    /// Returns true once the signal was given.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.begun.borrow()
    }

    /// Waits for the signal.
    pub async fn begun(&self) {
        let mut begun = self.begun.subscribe();
        // The sender lives in `self`, so there is no other end than the signal.
        drop(begun.wait_for(|begun| *begun).await);
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}
