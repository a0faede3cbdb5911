//! An attempt that failed, and what is known about how far it got.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::{Error, ErrorKind};

/// Why an attempt failed, and whether another one is safe and makes sense.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) reach: Reach,
    /// Whether the same call may well succeed soon.
    pub(crate) transient: bool,
    /// When the server wants to be asked again.
    pub(crate) retry_after: Option<Duration>,
}

/// How far an attempt got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The server certainly changed nothing.
    NotProcessed,
    /// The server may have done everything, something or nothing.
    Unknown,
}

/// What a server said with an error: the source of the [`Error`](crate::Error) that a call returns.
///
/// ```no_run
/// # async fn example(registry: martello_registry_client::Registry) {
/// use std::error::Error as _;
/// use martello_registry_client::rest::ServerAnswer;
///
/// let error = registry.models().get_model("fraud").await.unwrap_err();
/// if let Some(answer) = error.source().and_then(|source| source.downcast_ref::<ServerAnswer>()) {
///     println!("{} {:?}: {}", answer.status(), answer.error_code(), answer.message());
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAnswer {
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
}

// ===== impl Failure =====

impl Failure {
    /// Returns a failure that another attempt cannot mend.
    pub(crate) fn lasting(error: Error) -> Self {
        Self { error, reach: Reach::NotProcessed, transient: false, retry_after: None }
    }

    /// Returns a failure that another attempt may mend.
    pub(crate) fn passing(error: Error, reach: Reach) -> Self {
        Self { error, reach, transient: true, retry_after: None }
    }

    /// Returns the error of a call that must not be done twice: an outcome that nobody knows is called that.
    pub(crate) fn into_error_of_once(self, doing: &str) -> Error {
        if self.reach == Reach::NotProcessed {
            return self.error;
        }
        let message = format!("cannot tell whether this was done: {doing}; look before doing it again");
        Error::new(ErrorKind::Ambiguous, message).with_source(self.error)
    }
}

// ===== impl ServerAnswer =====

impl ServerAnswer {
    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns MLflow's code, such as `RESOURCE_DOES_NOT_EXIST`; a proxy in between gives none.
    pub fn error_code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Returns what it said, at most 2 KiB.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ServerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.message.is_empty() {
            f.write_str("the answer had no text")
        } else {
            f.write_str(&self.message)
        }
    }
}

impl StdError for ServerAnswer {}
