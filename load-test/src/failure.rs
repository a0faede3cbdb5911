//! The ways in which one request can fail.

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

    /// What a connection died of while it was read or written.
    pub(crate) fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::ResponseTimeout,
            io::ErrorKind::NotConnected => Self::Closed,
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
