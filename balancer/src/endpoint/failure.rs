//! What is said of a connection that failed.

use std::io;

use crate::error::{Error, ErrorKind, Stage};

/// A connection that ended before its answer did.
pub(super) fn lost(stage: Stage, reused: bool, source: Option<io::Error>) -> Error {
    let error = match (stage, reused) {
        (Stage::ResponseStarted, _) => {
            Error::new(ErrorKind::UpstreamReset, "an endpoint closed a connection in the middle of an answer")
        }
        (_, true) => Error::new(ErrorKind::StaleConnection, "an endpoint had closed a kept-alive connection"),
        (_, false) => {
            Error::new(ErrorKind::UpstreamReset, "an endpoint closed a connection without an answer")
        }
    };
    let error = error.at(stage);
    match source {
        Some(source) => error.because(source),
        None => error,
    }
}

/// A replica that neither takes nor sends.
pub(super) fn timeout(stage: Stage) -> Error {
    Error::new(ErrorKind::UpstreamTimeout, "an endpoint made no progress in time").at(stage)
}
