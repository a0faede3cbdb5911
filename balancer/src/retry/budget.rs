//! How many retries there may be: a bucket of tokens that successes fill and retries empty.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// How many retries the balancer may make.
///
/// A retry takes one token. A success puts `ratio` tokens back, so that in the long run retries add at
/// most that share to the load. A failure puts nothing back: in a full outage what is left in the
/// bucket is all there is, plus a trickle, where a budget that counted requests (as Finagle's does)
/// would repeat a fifth of a hopeless load for as long as the outage lasts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryBudget {
    /// Tokens for each success. 0.2 by default: beyond the reserve, retries add at most a fifth to what
    /// clients sent.
    pub ratio: f64,
    /// Tokens that the bucket holds, and starts with. 250 by default: when one of three replicas dies
    /// under 256 connections it takes about 85 requests with it, when two die 170, and each of those
    /// needs one token, some a second.
    pub reserve: u32,
    /// Tokens that come back every second by themselves, so that a quiet service may retry too. 2 by
    /// default: at 50 requests a second that is 4 % more.
    pub trickle: u32,
}

impl RetryBudget {
    /// Never retries.
    pub const NONE: Self = Self { ratio: 0.0, reserve: 0, trickle: 0 };
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { ratio: 0.2, reserve: 250, trickle: 2 }
    }
}

const TOKEN: i64 = 1_000;

/// The tokens of a [`RetryBudget`], in thousandths.
#[derive(Debug)]
pub(crate) struct Bucket {
    tokens: AtomicI64,
    capacity: i64,
    deposit: i64,
    trickle: u64,
    epoch: Instant,
    /// Milliseconds since the epoch up to which the trickle has been paid.
    paid: AtomicU64,
}

impl Bucket {
    pub(crate) fn new(budget: RetryBudget) -> Self {
        let capacity = i64::from(budget.reserve) * TOKEN;
        Self {
            tokens: AtomicI64::new(capacity),
            capacity,
            deposit: (budget.ratio.clamp(0.0, 1.0) * TOKEN as f64) as i64,
            trickle: u64::from(budget.trickle),
            epoch: Instant::now(),
            paid: AtomicU64::new(0),
        }
    }

    /// Pays in for a success. A full bucket, the usual case, costs one load.
    pub(crate) fn deposit(&self) {
        if self.tokens.load(Ordering::Relaxed) < self.capacity {
            self.put(self.deposit);
        }
    }

    /// Takes a token for a retry, if there is one.
    pub(crate) fn withdraw(&self, now: Instant) -> bool {
        self.pay_trickle(now);
        let take = |tokens: i64| (tokens >= TOKEN).then(|| tokens - TOKEN);
        self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Puts back a token for a retry that was not made.
    pub(crate) fn refund(&self) {
        self.put(TOKEN);
    }

    /// Returns the whole tokens left.
    pub(crate) fn left(&self) -> u64 {
        u64::try_from(self.tokens.load(Ordering::Relaxed) / TOKEN).unwrap_or(0)
    }

    fn put(&self, amount: i64) {
        let add = |tokens: i64| Some((tokens + amount).min(self.capacity));
        // The closure never refuses, so neither does the update.
        let _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    fn pay_trickle(&self, now: Instant) {
        let now = now.saturating_duration_since(self.epoch).as_millis() as u64;
        let paid = self.paid.load(Ordering::Relaxed);
        // Whoever moves the mark pays; milliseconds times tokens a second are thousandths of a token.
        let moved =
            now > paid && self.paid.compare_exchange(paid, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if moved {
            let elapsed = Duration::from_millis(now - paid).min(Duration::from_secs(3_600));
            self.put((elapsed.as_millis() as u64 * self.trickle) as i64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(ratio: f64, reserve: u32, trickle: u32) -> Bucket {
        Bucket::new(RetryBudget { ratio, reserve, trickle })
    }

    fn take_all(bucket: &Bucket, now: Instant) -> u32 {
        (0..).find(|_| !bucket.withdraw(now)).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_gets_the_reserve_and_a_trickle() {
        let bucket = bucket(0.2, 10, 2);
        assert_eq!(take_all(&bucket, Instant::now()), 10);
        tokio::time::advance(Duration::from_millis(2_500)).await;
        assert_eq!(take_all(&bucket, Instant::now()), 5);
        tokio::time::advance(Duration::from_secs(600)).await;
        assert_eq!(take_all(&bucket, Instant::now()), 10, "the trickle fills no more than the bucket");
    }

    #[tokio::test(start_paused = true)]
    async fn five_successes_buy_a_retry() {
        let bucket = bucket(0.2, 10, 0);
        let now = Instant::now();
        assert_eq!(take_all(&bucket, now), 10);
        for _ in 0..14 {
            bucket.deposit();
        }
        assert_eq!(take_all(&bucket, now), 2);
        bucket.refund();
        assert_eq!(bucket.left(), 1);
    }

    #[test]
    fn no_budget_is_no_retry() {
        let bucket = Bucket::new(RetryBudget::NONE);
        bucket.deposit();
        assert!(!bucket.withdraw(Instant::now()));
    }
}
