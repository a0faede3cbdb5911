//! Why [`Balance`](crate::Balance) has no answer.

use std::fmt;

use crate::{Error, ErrorKind, Fault};

/// [`Balance`](crate::Balance) has no answer: it had nobody to ask, or who it asked failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BalanceError<E> {
    /// There was no endpoint to ask.
    NoEndpoint(NoEndpoint),
    /// The endpoint that was asked failed with this error, and the request may not be repeated.
    Endpoint(E),
    /// The last endpoint that was asked failed with this error. The request may be repeated, but there is no further
    /// endpoint that is believed to work, or the tries or the budget are spent.
    Exhausted(E),
}

impl<E: fmt::Display> fmt::Display for BalanceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEndpoint(error) => error.fmt(f),
            Self::Endpoint(error) | Self::Exhausted(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error> std::error::Error for BalanceError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoEndpoint(_) => None,
            Self::Endpoint(error) | Self::Exhausted(error) => error.source(),
        }
    }
}

/// There is no endpoint that could get a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoEndpoint {
    pub(crate) members: usize,
    pub(crate) full: bool,
}

impl NoEndpoint {
    /// Returns how many endpoints are known, all of them full or on their way out.
    pub fn members(&self) -> usize {
        self.members
    }

    /// Returns whether there are endpoints, each of which has as many requests as it may have.
    pub fn is_full(&self) -> bool {
        self.full
    }
}

impl fmt::Display for NoEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.members {
            _ if self.full => f.write_str("every endpoint has as many requests as it may have"),
            0 => f.write_str("no endpoint is known: none was added, or none was found by its name yet"),
            leaving => write!(f, "no endpoint takes requests: {leaving} known, all draining"),
        }
    }
}

impl std::error::Error for NoEndpoint {}

impl From<BalanceError<Self>> for Error {
    fn from(error: BalanceError<Self>) -> Self {
        match error {
            BalanceError::NoEndpoint(error) if error.full => {
                Self::new(ErrorKind::Overloaded, "every replica has as many requests as it may have")
                    .because(error)
            }
            BalanceError::NoEndpoint(error) => {
                Self::new(ErrorKind::NoEndpoint, "there is no replica to ask").because(error)
            }
            // That somebody was waited for in vain says more than that nobody else is there.
            BalanceError::Exhausted(error)
                if error.fault() == Fault::Upstream && error.kind() != ErrorKind::UpstreamTimeout =>
            {
                let stage = error.stage();
                Self::new(ErrorKind::NoEndpoint, "every replica that could be asked failed")
                    .at(stage)
                    .because(error)
            }
            BalanceError::Endpoint(error) | BalanceError::Exhausted(error) => error,
        }
    }
}
