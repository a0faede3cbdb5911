//! Interim answers (RFC 9110 section 15.2) on their way to the client.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use tokio::io::AsyncWrite;

use crate::error::Error;
use crate::h1::encode_interim;

use super::client_body::gone;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How much of them waits for a client that takes none, in bytes. 64 KiB, a whole head of the largest kind: they are
/// hints, and whoever does not read them in time loses some.
const WAITING: usize = 64 * 1024;

/// What is to be sent before the answer.
#[derive(Debug, Default)]
pub(super) struct Interim {
    bytes: Vec<u8>,
    sent: usize,
}

impl Interim {
    /// Asks the client for its body.
    pub(super) fn go_ahead(&mut self) {
        self.bytes.extend_from_slice(CONTINUE);
    }

    pub(super) fn add(&mut self, answers: &[Response<()>]) {
        for answer in answers {
            let before = self.bytes.len();
            encode_interim(&mut self.bytes, answer);
            if self.bytes.len() - self.sent > WAITING {
                self.bytes.truncate(before);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Sends what there is.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<Result<(), Error>> {
        while self.sent < self.bytes.len() {
            let written = ready!(Pin::new(&mut *writer).poll_write(cx, &self.bytes[self.sent..]));
            self.sent += written.map_err(|error| gone(Some(error)))?;
        }
        self.clear();
        Poll::Ready(Ok(()))
    }

    /// What must be sent before the head of the answer that is here now. A `100 Continue` of which nothing was sent is
    /// late: the answer says all.
    pub(super) fn before_answer(&self) -> &[u8] {
        let left = &self.bytes[self.sent..];
        left.strip_prefix(CONTINUE).unwrap_or(left)
    }

    /// Forgets what belongs to the request before.
    pub(super) fn clear(&mut self) {
        if !self.bytes.is_empty() {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint() -> Response<()> {
        Response::builder().status(103).header("link", "</a>").body(()).unwrap()
    }

    #[test]
    fn what_was_begun_is_ended_before_the_answer() {
        let mut interim = Interim::default();
        interim.go_ahead();
        assert_eq!(interim.before_answer(), b"", "nobody waits for it any more");
        interim.add(&[hint()]);
        assert!(interim.before_answer().starts_with(b"HTTP/1.1 103"));
        interim.sent = 5;
        assert!(interim.before_answer().starts_with(b"1.1 100 Continue\r\n\r\nHTTP/1.1 103"));
        interim.clear();
        assert_eq!(interim.before_answer(), b"");
    }

    #[test]
    fn what_nobody_reads_does_not_collect() {
        let mut interim = Interim::default();
        (0..10_000).for_each(|_| interim.add(&[hint()]));
        assert!(interim.before_answer().len() <= WAITING);
        assert!(interim.before_answer().ends_with(b"\r\n\r\n"), "whole heads alone");
    }
}
