//! What one version of a model did.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;

use super::histogram::Histogram;
use super::{DIALECTS, STATUSES};
use crate::dialect::Dialect;

#[derive(Debug)]
pub(crate) struct ModelFigures {
    model: String,
    version: String,
    dialects: [Answers; DIALECTS.len()],
    rows: AtomicU64,
    invalid: AtomicU64,
    failures: AtomicU64,
    in_flight: AtomicI64,
    /// When it was last put into service, in milliseconds since 1970.
    since: AtomicU64,
}

/// What was answered in one dialect.
#[derive(Debug, Default)]
pub(super) struct Answers {
    by_status: [AtomicU64; STATUSES.len()],
    pub(super) seconds: Histogram,
    shed: AtomicU64,
}

impl ModelFigures {
    pub(crate) fn new(model: &str, version: Option<u32>) -> Self {
        Self {
            model: model.to_owned(),
            version: version.map(|version| version.to_string()).unwrap_or_default(),
            dialects: Default::default(),
            rows: AtomicU64::new(0),
            invalid: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            in_flight: AtomicI64::new(0),
            since: AtomicU64::new(0),
        }
    }

    /// Returns true for the figures of the same version.
    pub(crate) fn are_of(&self, other: &Self) -> bool {
        self.model == other.model && self.version == other.version
    }

    /// Notes that the version is put into service.
    pub(crate) fn begin_service(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.since.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Notes that a question has come.
    pub(crate) fn asked(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a question is done with, answered or not.
    pub(crate) fn done(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes an answer, that long after the head of the request.
    pub(crate) fn answered(&self, dialect: Dialect, status: StatusCode, after: Duration) {
        let answers = &self.dialects[dialect as usize];
        let place = STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(STATUSES.len() - 1);
        answers.by_status[place].fetch_add(1, Ordering::Relaxed);
        answers.seconds.observe(after);
    }

    /// Notes a request that was refused for lack of room.
    pub(crate) fn shed(&self, dialect: Dialect) {
        self.dialects[dialect as usize].shed.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a request that does not keep the signature.
    pub(crate) fn invalid(&self) {
        self.invalid.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn predicted(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn labels(&self) -> [(&'static str, &str); 2] {
        [("model", &self.model), ("version", &self.version)]
    }

    pub(super) fn answers(&self, dialect: Dialect) -> &Answers {
        &self.dialects[dialect as usize]
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    pub(super) fn invalid_requests(&self) -> u64 {
        self.invalid.load(Ordering::Relaxed)
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(super) fn in_flight(&self) -> i64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Returns when it was last put into service, since 1970.
    pub(super) fn since(&self) -> Duration {
        Duration::from_millis(self.since.load(Ordering::Relaxed))
    }
}

impl Answers {
    /// Walks the statuses that were answered, with their counts.
    pub(super) fn by_status(&self) -> impl Iterator<Item = (u16, u64)> {
        let counts = STATUSES.iter().zip(&self.by_status);
        // A series that never counted says nothing.
        counts.map(|(status, count)| (*status, count.load(Ordering::Relaxed))).filter(|(_, count)| *count > 0)
    }

    pub(super) fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }
}
