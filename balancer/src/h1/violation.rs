//! A rule of the wire that a message breaks.

use http::StatusCode;

use crate::error::{Error, ErrorKind, Stage};

/// A rule that a message breaks, with the status that a client deserves for it.
///
/// The same codec reads requests and responses; who reads decides whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    rule: &'static str,
    status: StatusCode,
}

impl Violation {
    /// A malformed message: 400.
    pub(crate) const fn malformed(rule: &'static str) -> Self {
        Self { rule, status: StatusCode::BAD_REQUEST }
    }

    /// A message that deserves a status more telling than 400.
    pub(crate) const fn with_status(status: StatusCode, rule: &'static str) -> Self {
        Self { rule, status }
    }

    /// The error when a client sent it.
    pub(crate) fn in_request(self) -> Error {
        match self.status {
            StatusCode::PAYLOAD_TOO_LARGE => Error::new(ErrorKind::BodyTooLarge, self.rule),
            status => Error::new(ErrorKind::BadRequest { status }, self.rule),
        }
    }

    /// The error when a replica sent it.
    pub(crate) fn in_response(self) -> Error {
        Error::new(ErrorKind::UpstreamProtocol, self.rule).at(Stage::ResponseStarted)
    }

    #[cfg(test)]
    pub(crate) fn status(self) -> StatusCode {
        self.status
    }
}
