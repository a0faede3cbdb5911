//! One request and its answer on an open connection.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::failure::FailureKind;
use crate::wire::Answer;

/// What is read at once: 32 KiB, more than most answers. There is one such buffer for each thread and none for a user,
/// because what was read is taken in before anybody else can run.
const READ_BYTES: usize = 32 * 1024;

thread_local! {
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// Why an exchange failed, and whether the request certainly never left this process.
#[derive(Debug)]
pub(super) enum Fault {
    /// The connection was already over when the request came; another one may be tried.
    NotSent(FailureKind),
    Failed(FailureKind),
}

impl From<FailureKind> for Fault {
    fn from(kind: FailureKind) -> Self {
        Self::Failed(kind)
    }
}

/// Whether the request went out to its end; a server may answer before, for example that it is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Completely,
    InPart,
}

impl Sent {
    pub(super) fn is_complete(self) -> bool {
        self == Self::Completely
    }
}

/// Writes and reads at the same time, so that neither side waits for the other to read first.
#[derive(Debug)]
pub(super) struct Exchange<'e, 'a> {
    stream: &'e mut TcpStream,
    request: &'e [u8],
    sent: usize,
    /// Why no more can be sent; what the server said before that is read all the same.
    broken: Option<FailureKind>,
    answer: &'e mut Answer<'a>,
}

impl<'e, 'a> Exchange<'e, 'a> {
    pub(super) fn new(stream: &'e mut TcpStream, request: &'e [u8], answer: &'e mut Answer<'a>) -> Self {
        Self { stream, request, sent: 0, broken: None, answer }
    }

    /// Ready when the answer is whole.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Sent, Fault>> {
        self.send(cx)?;
        while !self.answer.is_whole() {
            let received = ready!(self.receive(cx));
            received.map_err(|kind| self.broken.unwrap_or(kind))?;
        }
        let complete = self.sent == self.request.len();
        Poll::Ready(Ok(if complete { Sent::Completely } else { Sent::InPart }))
    }

    /// Sends as much as the connection takes now; otherwise the task wakes when it takes more.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        while self.sent < self.request.len() && self.broken.is_none() {
            match Pin::new(&mut *self.stream).poll_write(cx, &self.request[self.sent..]) {
                Poll::Pending => break,
                Poll::Ready(Ok(count)) => self.sent += count,
                Poll::Ready(Err(error)) => self.give_up_sending(&error)?,
            }
        }
        Ok(())
    }

    fn give_up_sending(&mut self, error: &io::Error) -> Result<(), Fault> {
        let kind = FailureKind::of_io(error);
        if self.sent == 0 {
            return Err(Fault::NotSent(kind));
        }
        self.broken = Some(kind);
        Ok(())
    }

    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), FailureKind>> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            let read = ready!(Pin::new(&mut *self.stream).poll_read(cx, &mut buffer));
            read.map_err(|error| FailureKind::of_io(&error))?;
            Poll::Ready(match buffer.filled() {
                [] => self.answer.close(),
                bytes => self.answer.feed(bytes),
            })
        })
    }
}
