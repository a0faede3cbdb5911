//! Every limit and timeout of a run, with its default and the reason for it.

use std::time::Duration;

use crate::error::{Error, Result};

/// The smallest limit of a response head, in bytes: below, servers' own fields alone may not fit.
const SMALLEST_HEAD: usize = 1024;

/// The largest response head unless the plan says otherwise, in bytes.
const DEFAULT_HEAD: usize = 8 * 1024;

/// What a run allows before it calls something a failure.
///
/// ```
/// use std::time::Duration;
/// use martello_load_test::Limits;
///
/// let limits = Limits { response_timeout: Duration::from_secs(5), ..Limits::default() };
/// # let _ = limits;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// How long a connection may take to open. Default 10 s, what nginx in front of the replaced system allowed.
    pub connect_timeout: Duration,
    /// How long a request may take from its start to the last byte of its answer. Default 30 s, likewise.
    pub response_timeout: Duration,
    /// The largest response body that is read, in bytes. Default 10 MiB: a body without end must not
    /// hold a user until the timeout and the network until then.
    pub max_response_body: u64,
    /// The largest response head that is read, in bytes; at least 1 KiB. Default 8 KiB: what servers themselves accept
    /// of a head. What is larger is counted as [`FailureKind::HeadTooLarge`](crate::FailureKind::HeadTooLarge).
    pub max_response_head: usize,
    /// How long requests in flight may go on once the test is over. Default 5 s: far longer than any
    /// answer worth waiting for, short enough for somebody who pressed Ctrl-C.
    pub stop_grace: Duration,
    /// The generator's own lateness (99th percentile) above which a run is invalid. Default 50 ms: the
    /// same delay hits the reading of answers, so above it latencies below 100 ms could not be believed.
    pub max_lateness: Duration,
    /// How long a user who got no connection waits at least before the next attempt. Default 100 ms: a
    /// host that refuses would otherwise keep the generator busy doing nothing.
    pub reconnect_pause: Duration,
    /// The most connections of an open-loop test. Default 1,000; requests beyond wait, and the wait counts.
    pub max_connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(30),
            max_response_body: 10 * 1024 * 1024,
            max_response_head: DEFAULT_HEAD,
            stop_grace: Duration::from_secs(5),
            max_lateness: Duration::from_millis(50),
            reconnect_pause: Duration::from_millis(100),
            max_connections: 1_000,
        }
    }
}

impl Limits {
    pub(crate) fn checked(self) -> Result<Self> {
        for (name, value) in [("connect", self.connect_timeout), ("response", self.response_timeout)] {
            if value.is_zero() {
                return Err(Error::plan(format!("{name} timeout is zero, so every request would fail")));
            }
        }
        if self.max_response_head < SMALLEST_HEAD {
            let head = self.max_response_head;
            return Err(Error::plan(format!(
                "response heads of {head} bytes: the limit must be at least {SMALLEST_HEAD}"
            )));
        }
        if self.max_connections == 0 {
            return Err(Error::plan("at most 0 connections, so no request could be sent"));
        }
        Ok(self)
    }
}
