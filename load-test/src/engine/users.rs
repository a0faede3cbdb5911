//! What a user does from the first request to the last, in a closed and in an open loop.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use crate::engine::pool::Pool;
use crate::engine::session::Session;
use crate::think_time::ThinkTime;

/// Asks, waits for the answer, thinks, and asks again.
#[expect(clippy::manual_async_fn, reason = "an `async fn` holds its arguments twice: 0.8 kB for each user")]
pub(super) fn closed_loop(
    mut session: Session,
    think_time: ThinkTime,
    first: Instant,
) -> impl Future<Output = ()> + Send {
    async move {
        let mut timer = pin!(sleep_until(first));
        let mut due = first;
        while session.wait_until(due, timer.as_mut()).await && session.begin() {
            let start = Instant::now();
            let mut sample = session.request(start, timer.as_mut()).await;
            sample.lateness = Some(start.saturating_duration_since(due));
            session.record(&sample);
            due = Instant::now() + session.pause(think_time, &sample);
        }
    }
}

/// Sends the requests that the clock hands out, each timed from the moment it was meant to start.
#[expect(clippy::manual_async_fn, reason = "an `async fn` holds its arguments twice: 0.8 kB for each user")]
pub(super) fn open_loop(
    mut session: Session,
    pool: Arc<Pool>,
    first: Instant,
) -> impl Future<Output = ()> + Send {
    async move {
        let mut timer = pin!(sleep_until(first));
        let mut arrival = Some(first);
        while let Some(intended) = arrival {
            let sample = session.request(intended, timer.as_mut()).await;
            session.record(&sample);
            arrival = pool.next().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of<F>(_user: impl FnOnce(Session, ThinkTime, Instant) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_user_is_small_enough_to_have_ten_thousand_of_them() {
        let size = bytes_of(closed_loop);
        assert!(size <= 1536, "{size} bytes");
    }
}
