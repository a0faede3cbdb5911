//! The ways in which one request can fail.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use serde::{Serialize, Serializer};

/// Why one request failed: the key under which it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// Nobody listens at the address.
    ConnectRefused,
    /// No connection within the connect timeout.
    ConnectTimeout,
    /// The host or network cannot be reached, or the connection broke while it was opened.
    ConnectFailed,
    /// The server reset the connection before the answer was complete.
    Reset,
    /// The server closed the connection before the answer was complete.
    Closed,
    /// No complete answer within the response timeout.
    ResponseTimeout,
    /// An answer whose status the check does not accept; a redirect counts here too, it is not followed.
    Status(u16),
    /// An answer whose body lacks what the check asks for.
    BodyCheck,
    /// An answer with a head above [`Limits::max_response_head`](crate::Limits::max_response_head).
    HeadTooLarge,
    /// An answer with a body above [`Limits::max_response_body`](crate::Limits::max_response_body).
    BodyTooLarge,
    /// Bytes that are no HTTP/1.1 answer.
    InvalidResponse,
    /// Still without an answer when the test and its grace period were over.
    Unanswered,
    /// This machine ran out of descriptors, ports or memory: the generator's fault, and the run is invalid.
    GeneratorExhausted,
}

impl FailureKind {
    /// Returns whether the answer was read to its end, so that the connection can serve the next request.
    pub(crate) fn leaves_the_connection_usable(self) -> bool {
        matches!(self, Self::Status(_) | Self::BodyCheck)
    }

    /// Returns whether no connection came about, so that nothing was sent.
    pub(crate) fn is_connect(self) -> bool {
        matches!(
            self,
            Self::ConnectRefused | Self::ConnectTimeout | Self::ConnectFailed | Self::GeneratorExhausted
        )
    }

    pub(crate) fn of_connect(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::ConnectRefused,
            io::ErrorKind::TimedOut => Self::ConnectTimeout,
            _ if is_exhaustion(error) => Self::GeneratorExhausted,
            _ => Self::ConnectFailed,
        }
    }

    pub(crate) fn of_exchange(error: &hyper::Error) -> Self {
        if let Some(cause) = io_cause(error) {
            return Self::of_io(cause);
        }
        if error.is_parse_too_large() {
            return Self::HeadTooLarge;
        }
        if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
            return Self::Closed;
        }
        Self::InvalidResponse
    }

    fn of_io(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionReset | Kind::BrokenPipe | Kind::ConnectionAborted => Self::Reset,
            Kind::UnexpectedEof | Kind::NotConnected => Self::Closed,
            Kind::TimedOut => Self::ResponseTimeout,
            // The kinds that hyper's body decoder uses for chunk sizes it cannot read.
            Kind::InvalidData | Kind::InvalidInput => Self::InvalidResponse,
            _ => Self::Reset,
        }
    }
}

/// EMFILE, ENFILE, EADDRNOTAVAIL (no ephemeral port left), ENOBUFS, ENOMEM.
fn is_exhaustion(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let number = error.raw_os_error().map(Errno::from_raw);
    matches!(
        number,
        Some(Errno::EMFILE | Errno::ENFILE | Errno::EADDRNOTAVAIL | Errno::ENOBUFS | Errno::ENOMEM)
    )
}

fn io_cause(error: &hyper::Error) -> Option<&io::Error> {
    let mut cause = StdError::source(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConnectRefused => "connection refused",
            Self::ConnectTimeout => "connect timed out",
            Self::ConnectFailed => "connect failed",
            Self::Reset => "connection reset",
            Self::Closed => "closed before the answer was complete",
            Self::ResponseTimeout => "response timed out",
            Self::Status(code) => return write!(f, "status {code}"),
            Self::BodyCheck => "body check failed",
            Self::HeadTooLarge => "head too large",
            Self::BodyTooLarge => "body too large",
            Self::InvalidResponse => "not an HTTP/1.1 answer",
            Self::Unanswered => "unanswered at the end",
            Self::GeneratorExhausted => "generator out of descriptors or ports",
        })
    }
}

/// Every kind but those with a status.
#[cfg(feature = "histogram-log")]
const WITHOUT_STATUS: [FailureKind; 12] = [
    FailureKind::ConnectRefused,
    FailureKind::ConnectTimeout,
    FailureKind::ConnectFailed,
    FailureKind::Reset,
    FailureKind::Closed,
    FailureKind::ResponseTimeout,
    FailureKind::BodyCheck,
    FailureKind::HeadTooLarge,
    FailureKind::BodyTooLarge,
    FailureKind::InvalidResponse,
    FailureKind::Unanswered,
    FailureKind::GeneratorExhausted,
];

#[cfg(feature = "histogram-log")]
impl<'de> serde::Deserialize<'de> for FailureKind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Some(code) = text.strip_prefix("status ").and_then(|code| code.parse().ok()) {
            return Ok(Self::Status(code));
        }
        let known = WITHOUT_STATUS.into_iter().find(|kind| kind.to_string() == text);
        known.ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no kind of failure")))
    }
}

impl Serialize for FailureKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_errors_are_told_apart() {
        let check = |number: i32, expected| {
            assert_eq!(FailureKind::of_connect(&io::Error::from_raw_os_error(number)), expected);
        };
        use nix::errno::Errno;
        check(Errno::ECONNREFUSED as i32, FailureKind::ConnectRefused);
        check(Errno::ETIMEDOUT as i32, FailureKind::ConnectTimeout);
        check(Errno::EMFILE as i32, FailureKind::GeneratorExhausted);
        check(Errno::EADDRNOTAVAIL as i32, FailureKind::GeneratorExhausted);
        check(Errno::ENETUNREACH as i32, FailureKind::ConnectFailed);
    }
}
