//! The receiving end of a connection and what it has received.

use std::io;
use std::mem;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::spare::Spare;

/// How much room a read is given. 4 KiB takes a head and a small body in one system call; a connection that is
/// full each time gets more.
const ROOM: usize = 4 * 1024;

/// How much room a read is given while a large body streams: 32 KiB, where larger reads stopped to pay.
const STREAMING_ROOM: usize = 32 * 1024;

/// The receiving end of a connection and the bytes that nobody has taken yet.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    pub(crate) io: R,
    pub(crate) buffer: BytesMut,
}

/// How much is expected to come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expect {
    Head,
    Stream,
    /// This many bytes in the buffer in all.
    Total(usize),
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(io: R) -> Self {
        Self { io, buffer: BytesMut::new() }
    }

    /// Reads once; 0 means that the peer will send no more.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>, expect: Expect) -> Poll<io::Result<usize>> {
        let room = match expect {
            Expect::Head => ROOM,
            Expect::Stream => STREAMING_ROOM,
            // One byte more: a read that does not fill its room tells the reactor that the socket is empty,
            // which saves the next one.
            Expect::Total(total) => total.saturating_sub(self.buffer.len()) + 1,
        };
        if self.buffer.capacity() == 0 {
            self.buffer = BytesMut::borrow();
        }
        // Half of the room left is still worth a read: reserving moves what is there, or allocates.
        if self.buffer.capacity() - self.buffer.len() < room.div_ceil(2) {
            self.buffer.reserve(room);
        }
        pin!(self.io.read_buf(&mut self.buffer)).poll(cx)
    }

    /// Gives the buffer's memory back while nothing is expected.
    pub(crate) fn release(&mut self) {
        if self.buffer.is_empty() {
            mem::take(&mut self.buffer).give_back();
        }
    }
}
