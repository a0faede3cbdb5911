//! The timer of a task.

use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use super::now;

/// A timer that is moved as rarely as can be.
///
/// Where it stands too early it may be left, at the price of ringing for nothing. That is right under a client that asks again
/// before it rings: then it rings now and then, and is moved for few requests. Under a client that takes its time it would ring
/// for nothing after each request, which costs a step of the task; putting it off costs far less. So it is put off once it
/// has rung for nothing, until that turns out to have been for nothing.
pub(super) struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// Whom it wakes. It is nearly always the same: a task may be polled by another one, such as that of a test.
    waker: Waker,
    /// Whether it was told.
    is_set: bool,
    /// Whether it is put off where it stands too early.
    is_put_off: bool,
    /// When it would have rung, had it not been put off.
    before: Option<Instant>,
}

impl Timer {
    pub(super) fn new(due: Instant, cx: &Context<'_>) -> Self {
        let (sleep, waker) = (Box::pin(sleep_until(due)), cx.waker().clone());
        Self { sleep, waker, is_set: false, is_put_off: false, before: None }
    }

    /// Sees to it that the task is polled again when that time has come, if not before.
    pub(super) fn ring_by(&mut self, due: Instant, cx: &mut Context<'_>) {
        if !self.is_set || !self.waker.will_wake(cx.waker()) {
            self.waker.clone_from(cx.waker());
            self.is_set = true;
            return self.move_to(due, cx);
        }
        let stands = self.sleep.deadline();
        if self.sleep.is_elapsed() {
            (self.is_put_off, self.before) = (true, None);
            self.move_to(due, cx);
        } else if due < stands {
            if self.before.take().is_some_and(|before| now() < before) {
                self.is_put_off = false;
            }
            self.move_to(due, cx);
        } else if self.is_put_off && stands < due {
            self.before = self.before.or(Some(stands));
            self.move_to(due, cx);
        }
    }

    fn move_to(&mut self, due: Instant, cx: &mut Context<'_>) {
        self.sleep.as_mut().reset(due);
        // A task that has used up its budget is put off by its timer, too, which would then not be set.
        if pin!(unconstrained(self.sleep.as_mut())).poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;
    use std::time::Duration;

    use super::*;

    /// Serves requests in turn: each is waited for by `think`, and then has half a second until it is given up, of which it
    /// takes nothing. Returns how often the task was polled for each.
    async fn steps(think: Duration, requests: usize) -> Vec<u32> {
        let (mut timer, mut counts) = (None::<Timer>, Vec::new());
        for _ in 0..requests {
            let mut polled = 0;
            let mut asks = pin!(tokio::time::sleep(think));
            poll_fn(|cx| {
                polled += 1;
                if asks.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                let idle = now() + Duration::from_secs(75);
                timer.get_or_insert_with(|| Timer::new(idle, cx)).ring_by(idle, cx);
                Poll::Pending
            })
            .await;
            let given_up = now() + Duration::from_millis(500);
            poll_fn(|cx| {
                timer.get_or_insert_with(|| Timer::new(given_up, cx)).ring_by(given_up, cx);
                Poll::Ready(())
            })
            .await;
            counts.push(polled);
        }
        counts
    }

    #[tokio::test(start_paused = true)]
    async fn it_rings_for_nothing_once_under_a_client_that_takes_its_time() {
        let counts = steps(Duration::from_secs(2), 6).await;
        assert_eq!(counts, [2, 3, 2, 2, 2, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_rings_for_nothing_now_and_then_under_a_client_that_does_not() {
        let counts = steps(Duration::from_millis(70), 100).await;
        let for_nothing = counts.iter().filter(|polled| **polled > 2).count();
        assert!((5..=15).contains(&for_nothing), "{counts:?}");
    }
}
