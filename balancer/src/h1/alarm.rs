//! One timer per connection, moved rather than made anew.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use crate::clock;

/// A timer that a connection keeps: moving a tokio timer to a later time costs one atomic operation, where a new
/// one costs the wheel's lock and an allocation.
#[derive(Debug)]
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    armed: bool,
}

impl Alarm {
    pub(crate) fn new(likely: Duration) -> Self {
        Self { sleep: Box::pin(sleep(likely)), armed: false }
    }

    /// Sets the alarm to ring after `delay` from now.
    pub(crate) fn set(&mut self, delay: Duration) {
        // A delay that cannot be represented never ends within the life of the process.
        let Some(deadline) = clock::now().checked_add(delay) else { return self.clear() };
        self.sleep.as_mut().reset(deadline);
        self.armed = true;
    }

    /// Sets the alarm unless it is set already.
    pub(crate) fn set_if_clear(&mut self, delay: Duration) {
        if !self.armed {
            self.set(delay);
        }
    }

    /// Takes the alarm back; the timer itself may go off unheard.
    pub(crate) fn clear(&mut self) {
        self.armed = false;
    }

    /// Ready when a set alarm rings.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.armed {
            return Poll::Pending;
        }
        self.sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_rings_when_it_was_last_set_to() {
        let start = Instant::now();
        let mut alarm = Alarm::new(Duration::from_secs(1));
        alarm.set(Duration::from_secs(1));
        alarm.set(Duration::from_secs(5));
        alarm.set_if_clear(Duration::from_secs(1));
        poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 5);
        alarm.clear();
        assert!(poll_fn(|cx| Poll::Ready(alarm.poll(cx))).await.is_pending());
    }
}
