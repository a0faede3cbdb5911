//! What time it is, asked once per step of a connection.
//!
//! A request needs the time six times: when it is sent, when its answer has come, for three deadlines and the age of
//! a connection. All of that happens in two steps of one task that take microseconds each, while asking costs
//! some forty nanoseconds.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::time::Instant;

#[derive(Clone, Copy)]
enum Step {
    /// Nobody said that a step has begun: every question is asked anew.
    None,
    Begun,
    At(Instant),
}

thread_local! {
    static STEP: Cell<Step> = const { Cell::new(Step::None) };
}

/// A step of a task, from now until it is dropped; it does not outlive one poll.
struct Moment;

impl Moment {
    fn begin() -> Self {
        STEP.set(Step::Begun);
        Self
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        STEP.set(Step::None);
    }
}

pin_project! {
    /// A task of which each poll is one step.
    pub(crate) struct InSteps<F> {
        #[pin]
        task: F,
    }
}

impl<F> InSteps<F> {
    pub(crate) fn new(task: F) -> Self {
        Self { task }
    }
}

impl<F: Future> Future for InSteps<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _moment = Moment::begin();
        self.project().task.poll(cx)
    }
}

/// Returns the time, the same one throughout a step.
pub(crate) fn now() -> Instant {
    match STEP.get() {
        Step::None => Instant::now(),
        Step::At(now) => now,
        Step::Begun => {
            let now = Instant::now();
            STEP.set(Step::At(now));
            now
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_stands_still_within_a_step_only() {
        let step = Moment::begin();
        let began = now();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(now(), began);
        drop(step);
        assert_eq!(now() - began, Duration::from_secs(1));
    }
}
