//! What can go wrong before, around and after a load test.
//!
//! A request that fails is not an error of this crate: it is counted under its
//! [`FailureKind`](crate::FailureKind) and the test goes on.

use std::error::Error as StdError;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a load test could not be planned, run or written down.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of [`Error`], by what the reader has to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The plan contradicts itself or contains a value that means nothing (the caller's fault).
    InvalidPlan,
    /// A text (threshold, think time, address) could not be understood (the caller's fault).
    InvalidText,
    /// The host name has no address.
    UnknownHost,
    /// This machine lacks descriptors, ports or a process that the plan needs.
    TooFewResources,
    /// A file could not be read or written.
    Io,
    /// A command that a survey was told to call failed.
    Command,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn plan(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidPlan, message)
    }

    pub(crate) fn text(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidText, message)
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns what kind of error this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns whether the caller can cure it by writing the plan differently.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self.kind, ErrorKind::InvalidPlan | ErrorKind::InvalidText)
    }
}
