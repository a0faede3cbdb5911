//! The counts and histograms of one stretch of a test: a second, a step, or all of it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::failure::FailureKind;
use crate::record::{EndpointCounts, Endpoints, Latencies, Sample};

/// Everything counted over one stretch of a test.
///
/// A request belongs to the stretch in which it ended.
#[derive(Clone, Debug)]
pub struct Statistics {
    by_request: Vec<RequestStatistics>,
    endpoints: Endpoints,
    lateness: Latencies,
    connections: u64,
    reconnects: u64,
    last_end: Option<Instant>,
}

/// What was counted for one request template.
#[derive(Clone, Debug, Default)]
pub struct RequestStatistics {
    succeeded: Latencies,
    failed: Latencies,
    bytes: u64,
    failures: BTreeMap<FailureKind, u64>,
}

/// What of [`Statistics`] no histogram holds.
#[cfg(feature = "histogram-log")]
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Counts {
    pub(crate) connections: u64,
    pub(crate) reconnects: u64,
    pub(crate) by_request: Vec<RequestCounts>,
    pub(crate) endpoints: BTreeMap<String, EndpointCounts>,
}

/// The same for one template.
#[cfg(feature = "histogram-log")]
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct RequestCounts {
    bytes: u64,
    failures: BTreeMap<FailureKind, u64>,
}

impl RequestStatistics {
    /// Returns how many requests ended, well or not.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.succeeded.count() + self.failed.count()
    }

    /// Returns how many of them failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed.count()
    }

    /// Returns the failures by kind.
    #[must_use]
    pub fn failures_by_kind(&self) -> &BTreeMap<FailureKind, u64> {
        &self.failures
    }

    /// Returns the bytes of all response bodies.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the time from start to end of every request, whatever its end was.
    #[must_use]
    pub fn latency(&self) -> Latencies {
        let mut all = self.succeeded.clone();
        all.merge(&self.failed);
        all
    }

    /// Returns the time from start to end of the requests that passed their check.
    #[must_use]
    pub fn latency_of_successes(&self) -> &Latencies {
        &self.succeeded
    }

    /// Returns the time from start to end of the requests that did not.
    #[must_use]
    pub fn latency_of_failures(&self) -> &Latencies {
        &self.failed
    }

    fn record(&mut self, sample: &Sample) {
        self.bytes += sample.bytes;
        match sample.failure {
            None => self.succeeded.record(sample.latency),
            Some(kind) => {
                self.failed.record(sample.latency);
                *self.failures.entry(kind).or_default() += 1;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.succeeded.merge(&other.succeeded);
        self.failed.merge(&other.failed);
        self.bytes += other.bytes;
        other.failures.iter().for_each(|(kind, count)| *self.failures.entry(*kind).or_default() += count);
    }

    fn clear(&mut self) {
        self.succeeded.clear();
        self.failed.clear();
        self.bytes = 0;
        self.failures.clear();
    }
}

impl Statistics {
    pub(crate) fn new(templates: usize) -> Self {
        Self {
            by_request: vec![RequestStatistics::default(); templates],
            endpoints: Endpoints::default(),
            lateness: Latencies::new(),
            connections: 0,
            reconnects: 0,
            last_end: None,
        }
    }

    /// Adds what was recorded elsewhere: requests of one template.
    #[cfg(feature = "histogram-log")]
    pub(crate) fn add_requests(&mut self, template: usize, failed: bool, latencies: &Latencies) {
        if let Some(counts) = self.by_request.get_mut(template) {
            if failed { counts.failed.merge(latencies) } else { counts.succeeded.merge(latencies) }
        }
    }

    #[cfg(feature = "histogram-log")]
    pub(crate) fn add_lateness(&mut self, lateness: &Latencies) {
        self.lateness.merge(lateness);
    }

    /// Adds what no histogram holds.
    #[cfg(feature = "histogram-log")]
    pub(crate) fn add_counts(&mut self, counts: &Counts) {
        self.connections += counts.connections;
        self.reconnects += counts.reconnects;
        for (mine, theirs) in self.by_request.iter_mut().zip(&counts.by_request) {
            mine.bytes += theirs.bytes;
            for (kind, count) in &theirs.failures {
                *mine.failures.entry(*kind).or_default() += count;
            }
        }
        for (name, counts) in &counts.endpoints {
            self.endpoints.count(name.as_bytes(), *counts);
        }
    }

    /// Everything that no histogram holds.
    #[cfg(feature = "histogram-log")]
    pub(crate) fn counts(&self) -> Counts {
        let by_request = self.by_request.iter();
        let by_request = by_request
            .map(|one| RequestCounts { bytes: one.bytes, failures: one.failures.clone() })
            .collect();
        let endpoints = self.endpoints().into_iter().collect();
        Counts { connections: self.connections, reconnects: self.reconnects, by_request, endpoints }
    }

    /// When the last request ended.
    pub(crate) fn last_end(&self) -> Option<Instant> {
        self.last_end
    }

    /// Returns the same counts per request template, in the order of the plan.
    #[must_use]
    pub fn by_request(&self) -> &[RequestStatistics] {
        &self.by_request
    }

    /// Returns all templates taken together.
    #[must_use]
    pub fn all_requests(&self) -> RequestStatistics {
        let mut all = RequestStatistics::default();
        self.by_request.iter().for_each(|one| all.merge(one));
        all
    }

    /// Returns how many requests ended, well or not.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.by_request.iter().map(RequestStatistics::requests).sum()
    }

    /// Returns how many of them failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.by_request.iter().map(RequestStatistics::failures).sum()
    }

    /// Returns the share of requests that failed, 0 to 1; 0 when there were none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
    pub fn failed_share(&self) -> f64 {
        let requests = self.requests();
        if requests == 0 { 0.0 } else { self.failures() as f64 / requests as f64 }
    }

    /// Returns the failures by kind.
    #[must_use]
    pub fn failures_by_kind(&self) -> BTreeMap<FailureKind, u64> {
        self.all_requests().failures
    }

    /// Returns the time from start to end of every request, whatever its end was; its count is the
    /// number of requests.
    #[must_use]
    pub fn latency(&self) -> Latencies {
        self.all_requests().latency()
    }

    /// Returns the time from start to end of the requests that passed their check.
    #[must_use]
    pub fn latency_of_successes(&self) -> Latencies {
        self.all_requests().succeeded
    }

    /// Returns how late the generator itself was: from the moment at which a request should have
    /// started to the moment at which this process got round to it.
    #[must_use]
    pub fn lateness(&self) -> &Latencies {
        &self.lateness
    }

    /// Returns the bytes of all response bodies.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        self.by_request.iter().map(RequestStatistics::body_bytes).sum()
    }

    /// Returns how many connections were opened, the first of every user among them.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Returns how many of them replaced one that was lost or closed.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.reconnects
    }

    /// Returns what each replica answered, in the order of their names; empty when answers name none.
    #[must_use]
    pub fn endpoints(&self) -> Vec<(String, EndpointCounts)> {
        self.endpoints.sorted()
    }

    pub(crate) fn record(&mut self, sample: &Sample) {
        if let Some(counts) = self.by_request.get_mut(sample.template) {
            counts.record(sample);
        }
        if let Some(name) = &sample.endpoint {
            let failures = u64::from(sample.failure.is_some());
            self.endpoints.count(name.as_bytes(), EndpointCounts { requests: 1, failures });
        }
        if let Some(lateness) = sample.lateness {
            self.lateness.record(lateness);
        }
        self.last_end = self.last_end.max(sample.ended);
        self.connections += u64::from(sample.connections);
        self.reconnects += u64::from(sample.reconnects);
    }

    pub(crate) fn record_lateness(&mut self, lateness: Duration) {
        self.lateness.record(lateness);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.by_request.iter_mut().zip(&other.by_request) {
            mine.merge(theirs);
        }
        self.endpoints.merge(&other.endpoints);
        self.lateness.merge(&other.lateness);
        self.last_end = self.last_end.max(other.last_end);
        self.connections += other.connections;
        self.reconnects += other.reconnects;
    }

    pub(crate) fn clear(&mut self) {
        self.by_request.iter_mut().for_each(RequestStatistics::clear);
        self.endpoints.clear();
        self.lateness.clear();
        (self.connections, self.reconnects, self.last_end) = (0, 0, None);
    }
}
