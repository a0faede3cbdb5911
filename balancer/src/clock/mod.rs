//! What time it is in a step of a connection's task, and by when its next step is due.
//!
//! A request needs the time six times: when it is sent, when its answer has come, for three deadlines and the age of
//! a connection. All of that happens in two steps of one task that take microseconds each, while asking costs
//! some forty nanoseconds.
//!
//! It also sets three alarms, of which nearly none ever rings. So a task has one timer for all of them ([`Timer`]). A timer for each
//! alarm had to be told in each step which task it wakes, with eight locked instructions a request, and the one for an
//! attempt that may be given up was made for each request.

mod timer;

use std::cell::Cell;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, RawWakerVTable, Waker};

use pin_project_lite::pin_project;
use tokio::time::Instant;

use self::timer::Timer;

/// The step that this thread is in.
struct Step {
    task: Cell<Option<Task>>,
    now: Cell<Option<Instant>>,
    due: Cell<Option<Instant>>,
}

thread_local! {
    static STEP: Step =
        const { Step { task: Cell::new(None), now: Cell::new(None), due: Cell::new(None) } };
}

/// The task that a waker wakes.
#[derive(Clone, Copy)]
struct Task {
    data: *const (),
    vtable: &'static RawWakerVTable,
}

impl Task {
    fn of(waker: &Waker) -> Self {
        Self { data: waker.data(), vtable: waker.vtable() }
    }

    fn is(self, waker: &Waker) -> bool {
        self.data == waker.data() && ptr::eq(self.vtable, waker.vtable())
    }
}

/// A step of a task, from now until it is dropped; it does not outlive one poll.
struct Moment {
    /// The step within which it is taken: there is none, unless a service runs a whole runtime.
    outer: (Option<Task>, Option<Instant>, Option<Instant>),
}

impl Moment {
    fn begin(waker: &Waker) -> Self {
        let outer = STEP.with(|step| {
            (step.task.replace(Some(Task::of(waker))), step.now.replace(None), step.due.replace(None))
        });
        Self { outer }
    }

    /// Returns by when the next step is due, if anything waits for the time.
    fn next(&self) -> Option<Instant> {
        STEP.with(|step| step.due.get())
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        let (task, now, due) = self.outer;
        STEP.with(|step| {
            step.task.set(task);
            step.now.set(now);
            step.due.set(due);
        });
    }
}

pin_project! {
    /// A task of which each poll is one step.
    pub(crate) struct InSteps<F> {
        #[pin]
        task: F,
        timer: Option<Timer>,
    }
}

impl<F> InSteps<F> {
    pub(crate) fn new(task: F) -> Self {
        Self { task, timer: None }
    }
}

impl<F: Future> Future for InSteps<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let moment = Moment::begin(cx.waker());
        let polled = this.task.poll(cx);
        if polled.is_pending()
            && let Some(due) = moment.next()
        {
            this.timer.get_or_insert_with(|| Timer::new(due, cx)).ring_by(due, cx);
        }
        polled
    }
}

/// Returns the time, the same one throughout a step.
pub(crate) fn now() -> Instant {
    STEP.with(|step| match (step.now.get(), step.task.get()) {
        (Some(now), _) => now,
        (None, Some(_)) => {
            let now = Instant::now();
            step.now.set(Some(now));
            now
        }
        // Nobody said that a step has begun: every question is asked anew.
        (None, None) => Instant::now(),
    })
}

/// Has the task that takes a step now polled again when that time has come, if it is the one that is to be woken. It holds
/// until the next step only, which asks again for what it still waits for.
///
/// Returns whether it does; if not, whoever waits needs a timer of its own.
pub(crate) fn wake_by(due: Instant, waker: &Waker) -> bool {
    STEP.with(|step| {
        let is_mine = step.task.get().is_some_and(|task| task.is(waker));
        if is_mine && step.due.get().is_none_or(|earliest| due < earliest) {
            step.due.set(Some(due));
        }
        is_mine
    })
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_stands_still_within_a_step_only() {
        let step = Moment::begin(Waker::noop());
        let began = now();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(now(), began);
        drop(step);
        assert_eq!(now() - began, Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_is_taken_when_the_earliest_of_what_is_waited_for_is_due() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut steps = Vec::new();
        let task = poll_fn(|cx| {
            steps.push(now().duration_since(start).as_secs());
            match steps.len() {
                // The later one does not put the earlier one off.
                1 => assert!(wake_by(after(5), cx.waker()) && wake_by(after(9), cx.waker())),
                // Woken by something else: the timer stays where it is, and rings too early.
                2 => assert!(wake_by(after(7), cx.waker()) && wake_by(after(600), cx.waker())),
                3 | 4 => assert!(wake_by(after(600), cx.waker())),
                // What is due already is not waited for.
                5 => assert!(wake_by(after(1), cx.waker())),
                _ => return Poll::Ready(()),
            }
            if steps.len() == 1 {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        });
        InSteps::new(task).await;
        assert_eq!(steps, [0, 0, 5, 600, 600, 600]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_used_up_its_tasks_budget_sets_the_timer_as_well() {
        let start = Instant::now();
        let mut is_first = true;
        let task = poll_fn(move |cx| {
            if start.elapsed() >= Duration::from_secs(5) {
                return Poll::Ready(());
            }
            // Without a budget, the task is woken at once, with a new one.
            while is_first && pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
            is_first = false;
            assert!(wake_by(start + Duration::from_secs(5), cx.waker()));
            Poll::Pending
        });
        let task = tokio::spawn(InSteps::new(task));
        let patience = tokio::time::timeout(Duration::from_secs(60), task);
        patience.await.expect("it is woken").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_within_a_step_takes_nothing_from_it() {
        let due = Instant::now() + Duration::from_secs(5);
        let task = poll_fn(|cx| {
            assert!(wake_by(due, cx.waker()));
            drop(Moment::begin(Waker::noop()));
            Poll::Ready(wake_by(due, cx.waker()) && STEP.with(|step| step.due.get()) == Some(due))
        });
        assert!(InSteps::new(task).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_is_woken_by_itself_needs_a_timer_of_its_own() {
        let task = poll_fn(|_| Poll::Ready(wake_by(now(), Waker::noop())));
        assert!(!InSteps::new(task).await);
        assert!(!poll_fn(|cx| Poll::Ready(wake_by(now(), cx.waker()))).await, "there is no step");
    }
}
