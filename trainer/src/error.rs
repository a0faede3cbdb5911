//! What can go wrong between a file of numbers and a registered model.

use std::fmt;

/// An error of this crate: what failed, where, and whose fault it is.
///
/// The message of the cause is not repeated in `Display`; walk [`source`](std::error::Error::source) for it.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What kind of thing failed, for programs that decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The data cannot be used as they are: ragged rows, a cell of the wrong type, a single class. The message says where.
    InvalidData,
    /// The input is larger than a named limit.
    TooLarge,
    /// A parameter has a value that makes no sense.
    InvalidParameter,
    /// The solver stopped before it reached the minimum; its answer is not used.
    NotConverged,
    /// The arithmetic left the finite numbers.
    Numerical,
    /// Reading the data failed.
    Io,
    /// The fitted model could not be assembled, evaluated or saved.
    Model,
    /// The registry refused or could not be reached.
    Registry,
    /// The caller asked the job to stop, and nothing was registered.
    Stopped,
    /// A worker of this crate died; a bug of ours.
    Internal,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidData, message)
    }

    pub(crate) fn parameter(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidParameter, message)
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Puts a place before the message: `prices.csv: line 7: …`.
    pub(crate) fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// Returns what kind of thing failed.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns whether the caller's data or parameters are to blame, so that trying again cannot help.
    pub fn is_callers_fault(&self) -> bool {
        use ErrorKind::{InvalidData, InvalidParameter, NotConverged, Numerical, TooLarge};
        matches!(self.kind, InvalidData | TooLarge | InvalidParameter | NotConverged | Numerical)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
