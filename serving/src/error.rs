//! What can go wrong in this crate.

use std::fmt;

/// What went wrong while a model was loaded, asked or served.
///
/// Opaque: [`kind`](Self::kind) says what failed, the questions say whose fault it is, `source()` has the cause.
///
/// ```
/// use martello_serving::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Prediction, "the accelerator is gone");
/// assert_eq!(error.kind(), ErrorKind::Prediction);
/// assert!(!error.is_bad_model());
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<BoxError>,
}

/// Any error, as tower's layers pass it on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The kinds of failure that an [`Error`] tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The address could not be listened on: taken, not ours, or not allowed.
    Bind,
    /// The listening socket failed for good.
    Accept,
    /// The registry did not hand out the model.
    Fetch,
    /// The files of a model are not a model that this build can load.
    Load,
    /// A model failed on its own input example, or answered it with something that is no answer.
    WarmUp,
    /// No model is loaded yet.
    NoModel,
    /// Rows were checked against another signature than the model's; read them again.
    SignatureChanged,
    /// The model returned an error.
    Prediction,
    /// The model panicked; the process lives on.
    Panicked,
    /// A prediction is an infinity or NaN.
    NotFinite,
    /// The model answered another number of rows than it was asked.
    WrongRows,
    /// A layer around the model refused the request for lack of capacity.
    Overloaded,
    /// What is told of the process cannot be sent where it should go.
    Telemetry,
}

impl Error {
    /// Creates an error; the message says what failed and where, lowercase, without a full stop.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Keeps the cause, which `source()` then returns.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns what kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns true if the model is at fault: it should not be served.
    #[must_use]
    pub fn is_bad_model(&self) -> bool {
        matches!(self.kind, ErrorKind::Load | ErrorKind::WarmUp)
    }

    /// Returns true if the same request may succeed later or elsewhere, and was not processed here.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::NoModel | ErrorKind::SignatureChanged | ErrorKind::Overloaded)
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
