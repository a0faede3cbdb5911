//! Why [`Balance`](crate::Balance) has no answer.

use std::fmt;

use crate::{Error, ErrorKind};

/// [`Balance`](crate::Balance) has no answer: it had nobody to ask, or who it asked failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BalanceError<E> {
    /// There was no endpoint to ask.
    NoEndpoint(NoEndpoint),
    /// The last endpoint that was asked failed with this error.
    Endpoint(E),
}

impl<E: fmt::Display> fmt::Display for BalanceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEndpoint(error) => error.fmt(f),
            Self::Endpoint(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error> std::error::Error for BalanceError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoEndpoint(_) => None,
            Self::Endpoint(error) => error.source(),
        }
    }
}

/// There is no endpoint that could get a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoEndpoint {
    pub(crate) members: usize,
}

impl NoEndpoint {
    /// Returns how many endpoints are known, all of them on their way out.
    pub fn members(&self) -> usize {
        self.members
    }
}

impl fmt::Display for NoEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.members {
            0 => f.write_str("no endpoint is known: none was added, or none was found by its name yet"),
            leaving => write!(f, "no endpoint takes requests: {leaving} known, all draining"),
        }
    }
}

impl std::error::Error for NoEndpoint {}

impl From<BalanceError<Self>> for Error {
    fn from(error: BalanceError<Self>) -> Self {
        match error {
            BalanceError::NoEndpoint(error) => {
                Self::new(ErrorKind::NoEndpoint, "there is no replica to ask").because(error)
            }
            BalanceError::Endpoint(error) => error,
        }
    }
}
