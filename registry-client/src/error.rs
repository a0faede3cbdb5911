//! The one error of this crate: a kind to act on, a sentence to read, a source to dig into.

use std::error::Error as StdError;
use std::fmt;
use std::path::Path;

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller can act on it.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The experiment, run, model, version, alias or artifact does not exist.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// The caller asked for something that can never work: a bad name, path, URI or filter.
    InvalidArgument,
    /// No or wrong credentials.
    Unauthenticated,
    /// The credentials, or the file system, do not allow it.
    PermissionDenied,
    /// Somebody else changed, or is changing, the same thing.
    Conflict,
    /// The registry, or the storage below it, cannot be reached now.
    Unavailable,
    /// The registry did not answer in time; for a write of the embedded registry: nothing was written.
    Timeout,
    /// The answer was lost: the write may have happened.
    Ambiguous,
    /// Bytes differ from what was promised: truncated, altered, or missing.
    Integrity,
    /// The database has a schema revision that this crate does not know, so it does not touch it.
    SchemaUnsupported,
    /// The registry answered something that cannot be understood.
    Protocol,
    /// The disk is full, or a quota is.
    StorageFull,
    /// This crate, as built, cannot do it.
    Unsupported,
}

/// Why a call failed: [`kind`](Error::kind) decides what to do, `Display` says what failed and where, and
/// [`source`](StdError::source) keeps the cause.
///
/// ```
/// use martello_registry_client::{ErrorKind, ModelUri};
///
/// let error = "models:/fraud".parse::<ModelUri>().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidArgument);
/// assert!(!error.is_retryable());
/// ```
#[derive(thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Returns an error of this kind; `message` is lowercase, without a full stop, and names what and where.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Attaches the cause, which `Display` does not repeat.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns what to act on.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns whether the thing asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }

    /// Returns whether the same call may succeed later without anybody changing the request.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Conflict | ErrorKind::Unavailable | ErrorKind::Timeout)
    }

    /// Returns whether the registry could not be asked, so that an answer from a cache is better than none.
    pub fn is_outage(&self) -> bool {
        use ErrorKind::{
            PermissionDenied, Protocol, SchemaUnsupported, Timeout, Unauthenticated, Unavailable,
        };
        matches!(
            self.kind,
            Unavailable | Timeout | PermissionDenied | Unauthenticated | Protocol | SchemaUnsupported
        )
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }

    pub(crate) fn integrity(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Integrity, message)
    }

    /// Wraps an I/O error with what was done to which file.
    pub(crate) fn io(doing: &str, path: &Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let (kind, advice) = match source.kind() {
            Io::NotFound => (ErrorKind::NotFound, "it does not exist"),
            Io::PermissionDenied => (ErrorKind::PermissionDenied, "permission denied"),
            Io::ReadOnlyFilesystem => (ErrorKind::PermissionDenied, "the file system is read-only"),
            Io::StorageFull | Io::QuotaExceeded => (ErrorKind::StorageFull, "no space left: free some"),
            _ => (ErrorKind::Unavailable, "the file system refused"),
        };
        Self::new(kind, format!("cannot {doing} {}: {advice}", path.display())).with_source(source)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.kind).field("message", &self.message);
        if let Some(source) = &self.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_io_error_names_the_file_and_keeps_its_kind() {
        let check = |io: std::io::ErrorKind, expected: ErrorKind| {
            let error = Error::io("write", Path::new("a/b.json"), io.into());
            assert_eq!(error.kind(), expected);
            assert!(error.to_string().contains("a/b.json"), "{error}");
            assert!(StdError::source(&error).is_some());
        };
        check(std::io::ErrorKind::StorageFull, ErrorKind::StorageFull);
        check(std::io::ErrorKind::NotFound, ErrorKind::NotFound);
        check(std::io::ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied);
        check(std::io::ErrorKind::Other, ErrorKind::Unavailable);
    }
}
