//! What can go wrong between a client and a replica, whose fault it was, and how far the request had come.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use http::{Request, StatusCode};

use crate::Body;

/// A cause in another crate's terms.
type Source = Box<dyn StdError + Send + Sync>;

/// Why a request was not answered by a replica.
///
/// Three questions matter to whoever holds one: what happened ([`kind`](Self::kind)), whose fault it was
/// ([`fault`](Self::fault): decides the status code and whether an endpoint's health suffers), and how much of
/// the request had reached the replica ([`stage`](Self::stage): decides whether asking again is safe).
pub struct Error {
    // Boxed so that a `Result` on the request path stays one word larger than its value at most.
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    stage: Stage,
    message: &'static str,
    source: Option<Source>,
    /// Behind a lock only so that an error can be shared between threads, as errors should.
    untouched: Option<Mutex<Box<Request<Body>>>>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection to the replica could be made.
    Connect,
    /// The replica did not accept a connection in time.
    ConnectTimeout,
    /// A kept-alive connection turned out to be closed before a byte of the answer came.
    StaleConnection,
    /// The replica closed or reset a connection in the middle of a request or an answer.
    UpstreamReset,
    /// The replica neither took bytes nor sent any for too long.
    UpstreamTimeout,
    /// The replica's answer is not valid HTTP/1.1.
    UpstreamProtocol,
    /// The client's request is not valid HTTP/1.1, or is past a limit; it deserves this status.
    BadRequest {
        /// The status to answer with.
        status: StatusCode,
    },
    /// The client sent its request too slowly.
    ClientTimeout,
    /// The client closed or reset its connection.
    ClientGone,
    /// The request's body is larger than allowed.
    BodyTooLarge,
    /// There is no endpoint that may be asked.
    NoEndpoint,
    /// More requests are waiting than are allowed to.
    Overloaded,
    /// The balancer is shutting down.
    Draining,
    /// A service behind the balancer failed in its own way; the source says how.
    Service,
    /// The balancer itself could not go on (a socket could not be opened, a setting cannot be used).
    Local,
}

/// How much of the request had reached the replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not one byte was handed to the kernel for a replica: asking another one is always safe.
    NothingSent,
    /// Some or all of the request was sent: the replica may have processed it.
    Sent,
    /// Bytes of the answer had come: it was being processed.
    ResponseStarted,
}

/// Whose fault an error was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The client that asked.
    Client,
    /// The replica that was asked.
    Upstream,
    /// The balancer, or its lack of endpoints.
    Balancer,
}

impl Error {
    /// Creates an error; `message` says what failed, lowercase, without a full stop.
    pub fn new(kind: ErrorKind, message: &'static str) -> Self {
        let stage = Stage::NothingSent;
        Self { inner: Box::new(Inner { kind, stage, message, source: None, untouched: None }) }
    }

    /// Returns the error with the stage that the request had reached ([`Stage::NothingSent`] until told).
    #[must_use]
    pub fn at(mut self, stage: Stage) -> Self {
        self.inner.stage = stage;
        self
    }

    /// Returns the error with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// Gives the request back with the error: nothing was read of its body.
    pub(crate) fn returning(mut self, request: Request<Body>) -> Self {
        self.inner.untouched = Some(Mutex::new(Box::new(request)));
        self
    }

    /// Takes the request, if it came back.
    pub(crate) fn take_request(&mut self) -> Option<Request<Body>> {
        let request = self.inner.untouched.take()?.into_inner();
        Some(*request.unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns what happened.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns how much of the request had reached the replica.
    pub fn stage(&self) -> Stage {
        self.inner.stage
    }

    /// Returns what failed, in words for people; it names no data of any request.
    pub fn message(&self) -> &'static str {
        self.inner.message
    }

    /// Returns whose fault it was.
    pub fn fault(&self) -> Fault {
        use ErrorKind as Kind;
        match self.inner.kind {
            Kind::BadRequest { .. } | Kind::ClientTimeout | Kind::ClientGone | Kind::BodyTooLarge => {
                Fault::Client
            }
            Kind::NoEndpoint | Kind::Overloaded | Kind::Draining | Kind::Local => Fault::Balancer,
            Kind::Connect
            | Kind::ConnectTimeout
            | Kind::StaleConnection
            | Kind::UpstreamReset
            | Kind::UpstreamTimeout
            | Kind::UpstreamProtocol
            | Kind::Service => Fault::Upstream,
        }
    }

    /// Returns whether another replica may be asked whatever the request was: the fault was the replica's and
    /// nothing was sent to it. What was sent may still be repeated when the request is known to be pure.
    pub fn is_retryable(&self) -> bool {
        self.fault() == Fault::Upstream && self.inner.stage == Stage::NothingSent
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.inner.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("stage", &self.inner.stage)
            .field("message", &self.inner.message)
            .field("source", &self.inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_upstream_fault_before_the_first_byte_may_always_be_retried() {
        let cases = [
            (ErrorKind::Connect, Stage::NothingSent, true),
            (ErrorKind::StaleConnection, Stage::NothingSent, true),
            (ErrorKind::StaleConnection, Stage::Sent, false),
            (ErrorKind::UpstreamReset, Stage::ResponseStarted, false),
            (ErrorKind::ClientGone, Stage::NothingSent, false),
            (ErrorKind::NoEndpoint, Stage::NothingSent, false),
        ];
        for (kind, stage, expected) in cases {
            assert_eq!(Error::new(kind, "x").at(stage).is_retryable(), expected, "{kind:?} {stage:?}");
        }
    }

    #[test]
    fn the_source_is_kept_and_not_repeated() {
        let error = Error::new(ErrorKind::Connect, "could not connect").because("refused");
        assert_eq!(error.to_string(), "could not connect");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("refused"));
    }
}
