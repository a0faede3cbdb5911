//! Closing without losing the last answer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// Closes the sending side, then throws away what still comes until the client closes too or the time is over.
///
/// A socket that is closed with unread bytes in it sends a reset, which can destroy an answer that the client has not read
/// yet: the 413 for a body that was still being sent would never be seen (RFC 9112, section 9.6).
#[derive(Debug)]
pub(super) struct Lingering {
    within: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    Sending,
    Discarding(Pin<Box<Sleep>>),
    Closed,
}

impl Lingering {
    pub(super) fn new(within: Duration) -> Self {
        Self { within, state: State::Sending }
    }

    pub(super) fn poll(&mut self, stream: &mut TcpStream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.state {
                State::Sending => {
                    ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
                    self.state = State::Discarding(Box::pin(tokio::time::sleep(self.within)));
                }
                State::Discarding(timer) => {
                    if timer.as_mut().poll(context).is_pending() {
                        ready!(poll_discard(stream, context));
                    }
                    self.state = State::Closed;
                }
                State::Closed => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// Ready once the client has closed its side, in whatever way.
fn poll_discard(stream: &mut TcpStream, context: &mut Context<'_>) -> Poll<()> {
    let mut scratch = [0; 4096];
    loop {
        let mut buffer = ReadBuf::new(&mut scratch);
        let read = ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer));
        if read.is_err() || buffer.filled().is_empty() {
            return Poll::Ready(());
        }
    }
}
