//! Waiting for a request.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use rustix::net::{RecvFlags, recv};
use tokio::net::TcpStream;

use super::client_body::{ClientReader, gone};
use super::{Connection, Phase};
use crate::error::{Error, ErrorKind};
use crate::h1::{Expect, HeadScan, Rules, Violation, request, request::Terms};
use crate::server::drain::Stage;

/// How many empty lines are skipped before a request. RFC 9112 section 2.2 asks for one at least; old clients sent
/// one after a body.
const EMPTY_LINES: usize = 2;

impl Connection {
    /// Ready when the next request's head has come, or with nothing when no request will come.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Terms>, Error>> {
        loop {
            if let Some(terms) = self.head_in_buffer().map_err(Violation::in_request)? {
                return Poll::Ready(Ok(Some(terms)));
            }
            let idle = self.reader().buffer.is_empty();
            let read = if idle { self.poll_idle(cx) } else { self.poll_more(cx) };
            match ready!(read) {
                Ok(1..) => {}
                _ if idle => return Poll::Ready(Ok(None)),
                Ok(_) => return Poll::Ready(Err(gone(None))),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Poll::Ready(Err(too_slow())),
                Err(error) => return Poll::Ready(Err(gone(Some(error)))),
            }
        }
    }

    fn head_in_buffer(&mut self) -> Result<Option<Terms>, Violation> {
        self.skip_empty_lines();
        let config = &self.config;
        let reader = self.reader.as_mut().expect(HOME);
        if reader.buffer.is_empty() {
            return Ok(None);
        }
        if let Some(length) = self.heads.again(&reader.buffer) {
            reader.buffer.advance(length);
            return Ok(self.terms());
        }
        let Some(length) = request::find(&mut self.scan, &reader.buffer, &config.limits)? else {
            return Ok(None);
        };
        let head = reader.buffer.split_to(length).freeze();
        let rules = Rules { limits: config.limits, keep: self.keep, underscores: config.underscores };
        self.heads.read(&head, &rules, |head| request::parse(head, &rules))?;
        Ok(self.terms())
    }

    /// Returns the terms of the head that came, and is ready for the next one.
    fn terms(&mut self) -> Option<Terms> {
        (self.scan, self.empty_lines) = (HeadScan::default(), 0);
        self.heads.came().map(|head| head.terms)
    }

    fn skip_empty_lines(&mut self) {
        let reader = self.reader.as_mut().expect(HOME);
        while self.empty_lines < EMPTY_LINES && reader.buffer.starts_with(b"\r\n") {
            reader.buffer.advance(2);
            self.empty_lines += 1;
        }
    }

    /// Waits for the first byte of a request without holding memory for it.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let no_more = self.drain.poll_stage(cx) == Stage::NoMoreRequests;
        self.count.enter(Phase::Waiting);
        self.outgoing.release();
        let reader = self.reader.as_mut().expect(HOME);
        reader.release();
        let readable = match reader.io.as_ref().poll_read_ready(cx) {
            Poll::Ready(Ok(())) => reader.poll_fill(cx, Expect::Head),
            other => other.map_ok(|()| 0),
        };
        if readable.is_pending() {
            if no_more {
                let has_come = has_bytes(reader.io.as_ref());
                return if has_come { Poll::Pending } else { Poll::Ready(Ok(0)) };
            }
            self.alarm.set_if_clear(self.config.idle_timeout);
            ready!(self.alarm.poll(cx));
            return Poll::Ready(Ok(0));
        }
        // Also where no more is wanted: what has come already would be lost. From the first byte on, it is the head's time that runs.
        self.alarm.clear();
        readable
    }

    /// Waits for the rest of a head.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.count.enter(Phase::Reading);
        let read = self.reader().poll_fill(cx, Expect::Head);
        if read.is_pending() {
            self.alarm.set_if_clear(self.config.head_timeout);
            ready!(self.alarm.poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }

    pub(super) fn reader(&mut self) -> &mut ClientReader {
        self.reader.as_mut().expect(HOME)
    }
}

/// Whether bytes have come of which the runtime does not know yet; it will say so.
fn has_bytes(stream: &TcpStream) -> bool {
    let mut byte = [0; 1];
    let peeked = recv(stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT);
    peeked.is_ok_and(|(_, count)| count > 0)
}

/// Why the receiving end is there: an exchange either gets it back from the body that it lent it to, or ends the
/// connection.
pub(super) const HOME: &str = "between requests, a connection has its receiving end";

fn too_slow() -> Error {
    Error::new(ErrorKind::ClientTimeout, "a request's head did not come in time")
}
