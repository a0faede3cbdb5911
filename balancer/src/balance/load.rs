//! What is known of one endpoint's load: the numbers that a policy reads and the status shows.

use std::{
    fmt,
    num::NonZeroU16,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

use super::{latency::Histogram, recent::Recent};
use crate::{
    FailureKind,
    retry::{Declared, RequestKind},
};

/// What is known of one endpoint's load, in atomics that every request updates and nobody locks.
///
/// A [`Policy`](crate::policy::Policy) reads it to choose. It lives as long as the endpoint is a
/// member, through every change of the set around it.
pub struct Load {
    id: u64,
    name: Arc<str>,
    weight: AtomicU16,
    in_flight: AtomicU32,
    memory: AtomicU64,
    pure: Declared,
    /// Kinds of requests that it has answered without declaring them.
    not_declared: Declared,
    leaving: AtomicBool,
    /// Told when the endpoint begins to leave.
    left: Notify,
    idle: Notify,
    /// Failures since the last success.
    pub(crate) run: AtomicU32,
    /// Failures since the last success after which another endpoint did what this one had not.
    pub(crate) refuted: AtomicU32,
    pub(crate) requests: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) ejections: AtomicU64,
    pub(crate) latency: Histogram,
    pub(crate) recent: Recent,
    /// Answers that broke off behind their heads and were not counted as failures in a row yet.
    broken: AtomicU32,
    /// Failed connections since the last success.
    connect_failures: AtomicU32,
    /// Set while the endpoint is out, so that a success can tell at the cost of one load.
    pub(crate) out: AtomicBool,
}

impl Load {
    /// Returns the load of an endpoint that nobody has used yet.
    ///
    /// `id` must be unique within the set: it is how a retry knows what was tried.
    pub fn new(id: u64, weight: NonZeroU16) -> Self {
        Self::named(id, "".into(), weight)
    }

    /// Returns the load of an endpoint of this name that nobody has used yet.
    pub(crate) fn named(id: u64, name: Arc<str>, weight: NonZeroU16) -> Self {
        Self {
            id,
            name,
            weight: AtomicU16::new(weight.get()),
            in_flight: AtomicU32::new(0),
            memory: AtomicU64::new(0),
            pure: Declared::default(),
            not_declared: Declared::default(),
            leaving: AtomicBool::new(false),
            left: Notify::new(),
            idle: Notify::new(),
            run: AtomicU32::new(0),
            refuted: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            ejections: AtomicU64::new(0),
            latency: Histogram::new(),
            recent: Recent::new(),
            broken: AtomicU32::new(0),
            connect_failures: AtomicU32::new(0),
            out: AtomicBool::new(false),
        }
    }

    /// Returns the number that tells this endpoint from every other of the same set.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the endpoint's name: its address, for one on the network; empty for a load that was made by [`Load::new`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the share of the traffic that this endpoint should get, relative to the others.
    pub fn weight(&self) -> NonZeroU16 {
        NonZeroU16::new(self.weight.load(Ordering::Relaxed)).unwrap_or(NonZeroU16::MIN)
    }

    pub(crate) fn set_weight(&self, weight: NonZeroU16) {
        self.weight.store(weight.get(), Ordering::Relaxed);
    }

    /// Returns how many requests are at this endpoint now; a request counts until its answer's
    /// body has ended.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Returns how often this endpoint has failed since it last did its work; 0 also for one that nobody has
    /// asked yet.
    pub fn failures_in_a_row(&self) -> u32 {
        self.run.load(Ordering::Relaxed)
    }

    /// Ends the run of failures.
    pub(crate) fn forgive(&self) {
        if self.failures_in_a_row() != 0 {
            self.run.store(0, Ordering::Relaxed);
            self.refuted.store(0, Ordering::Relaxed);
        }
        if self.connect_failures.load(Ordering::Relaxed) != 0 {
            self.connect_failures.store(0, Ordering::Relaxed);
        }
    }

    /// Counts one more failure and returns how many there are in a row, of the kind that matters.
    pub(crate) fn failed(&self, kind: FailureKind) -> u32 {
        let all = self.run.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if kind == FailureKind::Connect {
            return self.connect_failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        }
        all
    }

    /// Returns how many answers broke off behind their heads since this was last asked.
    pub(crate) fn take_broken(&self) -> u32 {
        // Nearly always none: do not take the cache line from the other threads.
        if self.broken.load(Ordering::Relaxed) == 0 { 0 } else { self.broken.swap(0, Ordering::Relaxed) }
    }

    /// Returns 64 bits, zero at first, in which the policy may keep what it learns of this endpoint.
    pub fn memory(&self) -> &AtomicU64 {
        &self.memory
    }

    /// Remembers that the endpoint has declared this kind of request to be a pure function.
    pub fn declare_pure(&self, kind: RequestKind) {
        self.pure.insert(kind);
    }

    /// Returns whether the endpoint has declared this kind of request to be a pure function: then
    /// repeating one is safe even if it was sent.
    pub fn is_pure(&self, kind: RequestKind) -> bool {
        self.pure.contains(kind)
    }

    /// Remembers that the endpoint has answered this kind of request without a declaration.
    pub(crate) fn answer_undeclared(&self, kind: RequestKind) {
        self.not_declared.insert(kind);
    }

    /// Returns whether the endpoint may still declare this kind, since it has not answered a request of it.
    pub(crate) fn may_declare(&self, kind: RequestKind) -> bool {
        self.not_declared.never_contained(kind)
    }

    /// Notes that the endpoint gets no more requests, and tells those that would go on without end.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
        self.left.notify_waiters();
    }

    /// Waits until no request is at this endpoint, which is leaving.
    pub(crate) async fn drained(&self) {
        // Both sides are sequentially consistent, so that either the last request sees `leaving`, which was set before,
        // or this sees that there is none.
        loop {
            let mut idle = std::pin::pin!(self.idle.notified());
            idle.as_mut().enable();
            if self.in_flight.load(Ordering::SeqCst) == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load")
            .field("id", &self.id)
            .field("weight", &self.weight)
            .field("in_flight", &self.in_flight())
            .field("requests", &self.requests)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

/// Counts one request as in flight at an endpoint until it is dropped.
///
/// A [`Protocol`](crate::Protocol) whose answers go on after their head (an HTTP body) keeps it with
/// the rest of the answer.
#[derive(Debug)]
pub struct InFlight(Arc<Load>);

impl InFlight {
    /// Counts one more request.
    pub fn begin(load: &Arc<Load>) -> Self {
        load.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(load))
    }

    /// Counts one more request, unless there are so many already.
    pub(crate) fn within(load: &Arc<Load>, most: u32) -> Option<Self> {
        let before = load.in_flight.fetch_add(1, Ordering::Relaxed);
        let counted = Self(Arc::clone(load));
        // Taken back by dropping it, as any other: another request may have waited for the place meanwhile.
        (before < most).then_some(counted)
    }

    /// Returns the name of the endpoint that the request is at.
    pub fn endpoint(&self) -> &str {
        self.0.name()
    }

    pub(super) fn load(&self) -> &Load {
        &self.0
    }

    /// Notes that the answer broke off, although it had begun as a success.
    pub(crate) fn broke_off(&self) {
        self.0.failures.fetch_add(1, Ordering::Relaxed);
        self.0.broken.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until the endpoint is leaving.
    pub(crate) fn leaving(&self) -> impl Future<Output = ()> + Send + use<> {
        let load = Arc::clone(&self.0);
        async move {
            // It hears from here on, so that whatever is not seen is heard.
            let left = load.left.notified();
            if !load.leaving.load(Ordering::SeqCst) {
                left.await;
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let before = self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
        if before == 1 && self.0.leaving.load(Ordering::SeqCst) {
            self.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn draining_waits_for_the_last_request() {
        let load = Arc::new(Load::new(1, NonZeroU16::MIN));
        let (first, second) = (InFlight::begin(&load), InFlight::begin(&load));
        load.leave();
        let waiting = tokio::spawn({
            let load = Arc::clone(&load);
            async move { load.drained().await }
        });
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(second);
        waiting.await.unwrap();
        assert_eq!(load.in_flight(), 0);
    }

    #[tokio::test]
    async fn whoever_is_in_flight_is_told_once_the_endpoint_leaves() {
        let load = Arc::new(Load::new(1, NonZeroU16::MIN));
        let before = tokio::spawn(InFlight::begin(&load).leaving());
        tokio::task::yield_now().await;
        assert!(!before.is_finished());
        load.leave();
        before.await.unwrap();
        // Picked before, and there after it.
        InFlight::begin(&load).leaving().await;
    }
}
