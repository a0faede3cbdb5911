//! How an attempt ended, as health and policies see it.

use std::fmt;

use serde::Serialize;

/// How one attempt at one endpoint ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The endpoint did its work, whatever the answer says of the request.
    Success,
    /// The endpoint failed.
    Failure(FailureKind),
    /// It says nothing of the endpoint's health: it is full for the moment, or the client was at fault.
    Neutral,
}

/// How an endpoint failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// No connection could be made.
    Connect,
    /// A connection broke before the answer was whole.
    Reset,
    /// No answer came in time.
    Timeout,
    /// The answer was malformed.
    Protocol,
    /// The answer's status says that the endpoint failed (5xx).
    Status,
    /// The endpoint said that it is shutting down.
    Leaving,
    /// An in-process service returned an error.
    Error,
}

impl FailureKind {
    /// Returns whether the endpoint certainly serves nobody, so that no ceiling should keep it in.
    pub fn is_certain(self) -> bool {
        matches!(self, Self::Connect | Self::Leaving)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "failed connection",
            Self::Reset => "broken connection",
            Self::Timeout => "timeout",
            Self::Protocol => "malformed answer",
            Self::Status => "server error",
            Self::Leaving => "notice of shutdown",
            Self::Error => "failed call",
        })
    }
}
