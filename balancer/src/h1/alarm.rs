//! A deadline that is set again and again, and nearly never comes.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::clock;

/// The resolution of the runtime's timers.
const SOONEST: Duration = Duration::from_millis(1);

/// An alarm that a connection keeps. Nearly every deadline is lifted long before it comes and followed by a later one.
///
/// In a step of a connection's task it is that task's timer that rings. Elsewhere it has a timer of its own, which is left where it
/// is while that is early enough.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    due: Option<Instant>,
    /// Rings when it is due, or before.
    own: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Sets the alarm to ring after `delay` from now, and not at once: whoever waits looks at what may have come first.
    pub(crate) fn set(&mut self, delay: Duration) {
        let delay = delay.max(SOONEST);
        // A delay that cannot be represented never ends within the life of the process.
        self.due = clock::now().checked_add(delay);
    }

    /// Sets the alarm unless it is set already.
    pub(crate) fn set_if_clear(&mut self, delay: Duration) {
        if self.due.is_none() {
            self.set(delay);
        }
    }

    /// Takes the alarm back; a timer itself may go off unheard.
    pub(crate) fn clear(&mut self) {
        self.due = None;
    }

    /// Ready when a set alarm rings.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else { return Poll::Pending };
        if clock::now() >= due {
            return Poll::Ready(());
        }
        if clock::wake_by(due, cx.waker()) { Poll::Pending } else { self.poll_own(due, cx) }
    }

    #[cold]
    fn poll_own(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let own = self.own.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if own.deadline() > due {
            own.as_mut().reset(due);
        }
        while own.as_mut().poll(cx).is_ready() {
            if own.deadline() >= due {
                return Poll::Ready(());
            }
            own.as_mut().reset(due);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_rings_neither_before_nor_after_its_time_however_often_it_is_set() {
        let start = Instant::now();
        let mut alarm = Alarm::default();
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
        let mut alarm = Alarm::default();
        alarm.set(Duration::from_secs(1));
        alarm.set(Duration::from_secs(5));
        alarm.set_if_clear(Duration::from_secs(1));
        poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 5);
        alarm.clear();
        assert!(poll_fn(|cx| Poll::Ready(alarm.poll(cx))).await.is_pending());
    }

    #[tokio::test(start_paused = true)]
    async fn it_does_not_ring_at_once_so_that_nobody_waits_in_a_circle() {
        let (start, mut alarm) = (Instant::now(), Alarm::default());
        alarm.set(Duration::ZERO);
        assert!(poll_fn(|cx| Poll::Ready(alarm.poll(cx))).await.is_pending());
        poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(start.elapsed(), SOONEST);
    }
}
