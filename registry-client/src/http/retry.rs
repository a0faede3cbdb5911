//! When to try again, and how long to wait before: exponential backoff with full jitter.
//!
//! [Exponential Backoff And Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), M. Brooker 2015:
//! a wait drawn evenly from nothing to the backoff spreads clients that failed together best.

use std::time::Duration;

use tokio::time::{Sleep, sleep};
use tower::retry::Policy;

use super::failure::Reach;
use super::reply::Reply;
use super::{Call, Failure, Safety};

/// The longest wait between two attempts: a server that comes back is noticed this soon.
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// How often, and how long, a call is tried again. Counts the attempts of one call; the retry layer clones it for each.
#[derive(Debug, Clone)]
pub(crate) struct RetryPolicy {
    pub(crate) max_retries: u32,
    pub(crate) backoff: Duration,
    /// No attempt begins later than this after the first.
    pub(crate) window: Duration,
    pub(crate) retried: u32,
}

impl RetryPolicy {
    /// Returns how long to wait before the next attempt, if there is to be one.
    fn wait(&self, call: &Call, failure: &Failure) -> Option<Duration> {
        let safe = failure.reach == Reach::NotProcessed || call.safety == Safety::Repeatable;
        let max_retries = call.max_retries.unwrap_or(self.max_retries);
        if !failure.transient || !safe || self.retried >= max_retries {
            return None;
        }
        let wait = full_jitter(self.backoff, self.retried).max(failure.retry_after.unwrap_or_default());
        (call.begun.elapsed() + wait <= self.window + call.extra_patience).then_some(wait)
    }
}

/// Returns how long to wait before the next attempt, after `retried` of them.
pub(crate) fn full_jitter(backoff: Duration, retried: u32) -> Duration {
    let ceiling = backoff.saturating_mul(2_u32.saturating_pow(retried)).min(MAX_BACKOFF);
    ceiling.mul_f64(fraction())
}

/// Returns a random number from 0 to 1; a version 4 UUID has enough randomness and its source is here already.
fn fraction() -> f64 {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    (high >> 32) as f64 / f64::from(u32::MAX)
}

impl Policy<Call, Reply, Failure> for RetryPolicy {
    type Future = Sleep;

    fn retry(&mut self, call: &mut Call, result: &mut Result<Reply, Failure>) -> Option<Sleep> {
        let Err(failure) = result else { return None };
        let wait = self.wait(call, failure)?;
        self.retried += 1;
        tracing::debug!(doing = %call.doing, error = %failure.error, retry = self.retried, ?wait, "trying again");
        Some(sleep(wait))
    }

    fn clone_request(&mut self, call: &Call) -> Option<Call> {
        Some(call.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Payload, Target};
    use crate::{Error, ErrorKind};

    fn policy() -> RetryPolicy {
        RetryPolicy {
            max_retries: 3,
            backoff: Duration::from_secs(1),
            window: Duration::from_secs(30),
            retried: 0,
        }
    }

    fn call(safety: Safety) -> Call {
        Call::new("try", http::Method::POST, Target::new("/x"), Payload::Empty, safety)
    }

    fn failure(reach: Reach) -> Failure {
        Failure::passing(Error::new(ErrorKind::Unavailable, "down"), reach)
    }

    #[tokio::test(start_paused = true)]
    async fn what_must_not_happen_twice_is_repeated_only_if_it_did_not_happen() {
        assert!(policy().wait(&call(Safety::Once), &failure(Reach::Unknown)).is_none());
        assert!(policy().wait(&call(Safety::Once), &failure(Reach::NotProcessed)).is_some());
        assert!(policy().wait(&call(Safety::Repeatable), &failure(Reach::Unknown)).is_some());
        let lasting = Failure::lasting(Error::new(ErrorKind::NotFound, "gone"));
        assert!(policy().wait(&call(Safety::Repeatable), &lasting).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn retries_end_after_their_number_and_after_their_time() {
        let spent = RetryPolicy { retried: 3, ..policy() };
        assert!(spent.wait(&call(Safety::Repeatable), &failure(Reach::Unknown)).is_none());
        let old = call(Safety::Repeatable);
        tokio::time::advance(Duration::from_secs(31)).await;
        assert!(policy().wait(&old, &failure(Reach::Unknown)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_may_ask_for_a_longer_wait_but_not_for_one_beyond_the_window() {
        let after = |seconds| Failure {
            retry_after: Some(Duration::from_secs(seconds)),
            ..failure(Reach::NotProcessed)
        };
        let call = call(Safety::Repeatable);
        assert!(policy().wait(&call, &after(7)).unwrap() >= Duration::from_secs(7));
        assert_eq!(policy().wait(&call, &after(3600)), None);
    }

    #[test]
    fn waits_are_spread_and_bounded() {
        let waits: Vec<Duration> = (0..200).map(|_| full_jitter(Duration::from_secs(1), 30)).collect();
        assert!(waits.iter().all(|wait| *wait <= MAX_BACKOFF));
        assert!(
            waits.iter().any(|wait| *wait < MAX_BACKOFF / 4)
                && waits.iter().any(|wait| *wait > MAX_BACKOFF / 2)
        );
    }
}
