//! Where users put what they measured: shards, so that threads rarely meet at a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tokio::time::Instant;

use crate::failure::FailureKind;
use crate::record::Statistics;

/// One finished request.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) template: usize,
    pub(crate) latency: Duration,
    pub(crate) ended: Option<Instant>,
    /// How late the generator started it; `None` where nothing was scheduled.
    pub(crate) lateness: Option<Duration>,
    pub(crate) bytes: u64,
    pub(crate) endpoint: Option<HeaderValue>,
    pub(crate) failure: Option<FailureKind>,
    pub(crate) connections: u32,
    pub(crate) reconnects: u32,
}

impl Sample {
    /// A request of which nothing is known yet.
    pub(crate) fn of(template: usize) -> Self {
        Self {
            template,
            latency: Duration::ZERO,
            ended: None,
            lateness: None,
            bytes: 0,
            endpoint: None,
            failure: None,
            connections: 0,
            reconnects: 0,
        }
    }

    /// Ends the request now; its time counts from `start`.
    pub(crate) fn end(&mut self, start: Instant) {
        let now = Instant::now();
        self.latency = now.saturating_duration_since(start);
        self.ended = Some(now);
    }
}

#[derive(Debug)]
pub(crate) struct Recorder {
    shards: Box<[Mutex<Statistics>]>,
}

impl Recorder {
    /// As many shards as the machine has processors: more would never be used at the same time.
    pub(crate) fn new(templates: usize) -> Self {
        let shards = std::thread::available_parallelism().map_or(1, usize::from);
        Self { shards: (0..shards).map(|_| Mutex::new(Statistics::new(templates))).collect() }
    }

    /// Counts one request; `user` only spreads the users over the shards.
    pub(crate) fn record(&self, user: u64, sample: &Sample) {
        let shard = usize::try_from(user).unwrap_or(0) % self.shards.len();
        lock(&self.shards[shard]).record(sample);
    }

    /// Counts how late something was started whose request is counted elsewhere.
    pub(crate) fn record_lateness(&self, lateness: Duration) {
        lock(&self.shards[0]).record_lateness(lateness);
    }

    /// Moves everything counted since the last call into `into`.
    pub(crate) fn drain(&self, into: &mut Statistics) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            into.merge(&shard);
            shard.clear();
        }
    }
}

/// Counters stay consistent enough to read after a panic elsewhere, which ends the test anyway.
fn lock(shard: &Mutex<Statistics>) -> MutexGuard<'_, Statistics> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_is_drained_exactly_once() {
        let recorder = Recorder::new(2);
        for user in 0..100_u64 {
            let mut sample = Sample::of(usize::from(user % 4 == 0));
            sample.latency = Duration::from_millis(user);
            sample.failure = (user % 10 == 0).then_some(FailureKind::Reset);
            sample.endpoint = Some(HeaderValue::from_static("a"));
            recorder.record(user, &sample);
        }
        let mut all = Statistics::new(2);
        recorder.drain(&mut all);
        recorder.drain(&mut all);
        assert_eq!((all.requests(), all.failures()), (100, 10));
        assert_eq!((all.by_request()[0].requests(), all.by_request()[1].requests()), (75, 25));
        assert_eq!(all.failures_by_kind()[&FailureKind::Reset], 10);
        assert_eq!(
            all.endpoints(),
            [("a".to_owned(), crate::EndpointCounts { requests: 100, failures: 10 })]
        );
        assert_eq!(all.latency().count(), 100);
    }
}
