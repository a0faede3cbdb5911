//! The one error type of the crate.

use std::error::Error as StdError;
use std::fmt;

use crate::CellError;

/// What went wrong in this crate, or in a [`Model`](crate::Model) of your own.
///
/// The error is opaque: ask [`kind`](Self::kind) what failed, [`is_bad_input`](Self::is_bad_input) whose fault it is, and
/// [`source`](StdError::source) for the cause underneath.
///
/// ```
/// use martello_model_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Prediction, "the accelerator is gone");
/// assert_eq!(error.kind(), ErrorKind::Prediction);
/// assert!(!error.is_bad_input());
/// ```
#[derive(Debug)]
pub struct Error {
    // Boxed, since errors are rare and every `Result` on the path of a prediction would grow with it.
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    cells: Vec<CellError>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of failure that an [`Error`] tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A signature contradicts itself or is not in MLflow's form.
    InvalidSignature,
    /// Rows do not fit the signature; [`Error::cell_errors`] lists the cells.
    InvalidBatch,
    /// A batch was checked against another signature than the model's.
    SignatureMismatch,
    /// The parts of a model (signature, encoder, engine, classes) do not fit together.
    InvalidModel,
    /// A valid request for something that this model or this version cannot do.
    Unsupported,
    /// A model folder lacks a file that it must have.
    MissingFile,
    /// A file of a model folder is truncated, altered or malformed.
    Corrupted,
    /// A file of a model folder was written in a format that this version does not know.
    UnknownVersion,
    /// Something is larger than the limit set for it.
    TooLarge,
    /// The model failed on a batch that was fine.
    Prediction,
    /// The arguments of a function do not fit together, for example two slices of different lengths.
    InvalidArgument,
}

impl Error {
    /// Creates an error; the message says what failed and where, lowercase, without a full stop.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { inner: Box::new(Inner { kind, message: message.into(), cells: Vec::new(), source: None }) }
    }

    /// Keeps the cause, which [`source`](StdError::source) then returns.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    pub(crate) fn with_cells(mut self, cells: Vec<CellError>) -> Self {
        self.inner.cells = cells;
        self
    }

    /// Returns what kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns every cell that was refused, in row order; empty unless the kind is [`ErrorKind::InvalidBatch`].
    #[must_use]
    pub fn cell_errors(&self) -> &[CellError] {
        &self.inner.cells
    }

    /// Returns true if whoever sent the rows is at fault: other rows can succeed.
    #[must_use]
    pub fn is_bad_input(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::InvalidBatch | ErrorKind::SignatureMismatch | ErrorKind::InvalidArgument
        )
    }

    /// Returns true if the model or its folder is at fault: no rows will ever succeed.
    #[must_use]
    pub fn is_bad_model(&self) -> bool {
        use ErrorKind::{Corrupted, InvalidModel, InvalidSignature, MissingFile, TooLarge, UnknownVersion};
        matches!(
            self.kind(),
            InvalidSignature | InvalidModel | MissingFile | Corrupted | UnknownVersion | TooLarge
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)?;
        match self.inner.cells.as_slice() {
            [] => Ok(()),
            [only] => write!(f, ": {only}"),
            [first, rest @ ..] => write!(f, ": {first} (and {} more)", rest.len()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}
