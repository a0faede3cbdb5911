//! One timer per connection, moved when it rings rather than whenever it is set.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::clock;

/// A timer that a connection keeps. A new one for each deadline costs the wheel's lock and an allocation. Nearly every deadline
/// is lifted long before it comes and followed by a later one: so the timer is left where it is, and moved when it
/// rings too early, once in many requests.
#[derive(Debug)]
pub(crate) struct Alarm {
    /// Rings when it is due, or before.
    sleep: Pin<Box<Sleep>>,
    due: Option<Instant>,
}

impl Alarm {
    pub(crate) fn new(likely: Duration) -> Self {
        Self { sleep: Box::pin(sleep(likely)), due: None }
    }

    /// Sets the alarm to ring after `delay` from now.
    pub(crate) fn set(&mut self, delay: Duration) {
        // A delay that cannot be represented never ends within the life of the process.
        self.due = clock::now().checked_add(delay);
        if let Some(due) = self.due
            && due < self.sleep.deadline()
        {
            self.sleep.as_mut().reset(due);
        }
    }

    /// Sets the alarm unless it is set already.
    pub(crate) fn set_if_clear(&mut self, delay: Duration) {
        if self.due.is_none() {
            self.set(delay);
        }
    }

    /// Takes the alarm back; the timer itself may go off unheard.
    pub(crate) fn clear(&mut self) {
        self.due = None;
    }

    /// Ready when a set alarm rings.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else { return Poll::Pending };
        while self.sleep.as_mut().poll(cx).is_ready() {
            if self.sleep.deadline() >= due {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(due);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_rings_neither_before_nor_after_its_time_however_often_it_is_set() {
        let start = Instant::now();
        let mut alarm = Alarm::new(Duration::from_secs(1));
        for (wait, delay, expected) in [(0, 3, 3), (10, 3, 16), (0, 1, 17), (0, 600, 617), (1, 1, 619)] {
            sleep(Duration::from_secs(wait)).await;
            alarm.set(Duration::from_secs(delay));
            poll_fn(|cx| alarm.poll(cx)).await;
            assert_eq!(start.elapsed().as_secs(), expected);
        }
        alarm.set(Duration::MAX);
        let never = tokio::time::timeout(Duration::from_secs(1_000_000), poll_fn(|cx| alarm.poll(cx)));
        assert!(never.await.is_err());
    }

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
