//! A request as plain data, so that it can be sent again.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};
use tokio::time::Instant;

use super::{Payload, Target};

/// One thing to ask of a server. A clone of it is another attempt.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// What is being done, for errors and traces: `get run abc`.
    pub(crate) doing: Arc<str>,
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Payload,
    pub(crate) safety: Safety,
    pub(crate) answer: Answer,
    /// How long one attempt may take beyond the usual, because it moves many bytes.
    pub(crate) extra_patience: Duration,
    /// How often it is tried again at most; absent, as often as calls are.
    pub(crate) max_retries: Option<u32>,
    /// When the first attempt began.
    pub(crate) begun: Instant,
}

/// Whether a call may be sent again after an attempt whose outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Safety {
    /// Twice is as good as once.
    Repeatable,
    /// Twice would make two of them: only an attempt that the server certainly did not work on is repeated.
    Once,
}

/// What the caller wants to do with the answer's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Have it whole, at most so many bytes.
    Whole(usize),
    /// Read it piece by piece.
    Stream,
}

/// A model registry's page of 1000 models with long descriptions has a few MiB; this stops an endless answer.
const MAX_ANSWER_BYTES: usize = 64 << 20;

impl Call {
    /// Returns a call that changes nothing and wants a whole answer.
    pub(crate) fn get(doing: impl Into<Arc<str>>, target: Target) -> Self {
        Self::new(doing, Method::GET, target, Payload::Empty, Safety::Repeatable)
    }

    pub(crate) fn new(
        doing: impl Into<Arc<str>>,
        method: Method,
        target: Target,
        payload: Payload,
        safety: Safety,
    ) -> Self {
        Self {
            doing: doing.into(),
            method,
            target,
            headers: HeaderMap::new(),
            payload,
            safety,
            answer: Answer::Whole(MAX_ANSWER_BYTES),
            extra_patience: Duration::ZERO,
            max_retries: None,
            begun: Instant::now(),
        }
    }
}
