//! Bytes both ways, once a replica has switched protocols (RFC 9110 section 7.8).

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Buf;
use tokio::io::AsyncWrite;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::sleep;

use super::{Connection, Ending};
use crate::h1::{Expect, Reader, Tunnel};

/// A read that brings this much is followed by larger ones: what flows is no longer a few messages.
const FLOWS: usize = 4 * 1024;

impl Connection {
    /// Carries bytes until both directions have ended, one of them fails, or nothing has moved for too long.
    ///
    /// What the client sent behind its request goes first. When the server shuts down, or the replica leaves, a tunnel has
    /// the grace of any request and is then cut off: only the two ends know how to say goodbye in their protocol.
    pub(super) async fn tunnel(&mut self, tunnel: Tunnel) {
        let Some(mut client) = self.reader.take() else { return };
        let Tunnel { replica: Reader { io, buffer }, leaving, sent, kept: _kept, .. } = tunnel;
        let (from_replica, mut to_replica) = io.into_split();
        let mut replica = Reader { io: from_replica, buffer };
        let mut up = Flow::new(&mut client, &mut to_replica);
        let mut down = Flow { written: Some(&sent), ..Flow::new(&mut replica, &mut self.writer) };
        let (alarm, idle, grace) = (&mut self.alarm, self.config.tunnel_idle, self.config.drain_grace);
        let mut left = pin!(async {
            leaving.await;
            sleep(grace).await;
        });
        alarm.set(idle);
        let ended = poll_fn(|cx| {
            let before = up.moved + down.moved;
            let (up_ended, down_ended) = (up.poll(cx)?.is_ready(), down.poll(cx)?.is_ready());
            if up_ended && down_ended {
                return Poll::Ready(Ok(()));
            }
            if up.moved + down.moved > before {
                alarm.set(idle);
            }
            if left.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "its replica is leaving")));
            }
            ready!(alarm.poll(cx));
            Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing has moved in it")))
        });
        if let Err(error) = ended.await {
            tracing::debug!(%error, "a tunnel was cut off");
            // Nobody knows what was on its way, unless there was nothing, or time enough to say goodbye.
            self.ending = if error.kind() == io::ErrorKind::TimedOut { Ending::Close } else { Ending::Reset };
        }
    }
}

/// One direction.
struct Flow<'a> {
    from: &'a mut Reader<OwnedReadHalf>,
    to: &'a mut OwnedWriteHalf,
    state: State,
    expect: Expect,
    /// Bytes read and written.
    moved: u64,
    /// Where bytes that were written are counted.
    written: Option<&'a AtomicU64>,
}

#[derive(Clone, Copy)]
enum State {
    Open,
    /// The sender has ended; the receiver is told.
    Ending,
    Ended,
}

impl<'a> Flow<'a> {
    fn new(from: &'a mut Reader<OwnedReadHalf>, to: &'a mut OwnedWriteHalf) -> Self {
        Self { from, to, state: State::Open, expect: Expect::Head, moved: 0, written: None }
    }

    /// Ready when the sender has ended and the receiver knows.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.state {
                State::Open => {
                    ready!(self.poll_write(cx))?;
                    if ready!(self.poll_read(cx))? == 0 {
                        self.state = State::Ending;
                    }
                }
                State::Ending => {
                    // A receiver that is gone altogether needs not be told.
                    let _ = ready!(Pin::new(&mut *self.to).poll_shutdown(cx));
                    self.state = State::Ended;
                }
                State::Ended => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.from.buffer.is_empty() {
            let taken = ready!(Pin::new(&mut *self.to).poll_write(cx, &self.from.buffer))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.from.buffer.advance(taken);
            self.moved += taken as u64;
            if let Some(written) = self.written {
                written.fetch_add(taken as u64, Ordering::Relaxed);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once; holds no memory while there is nothing.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.from.release();
        ready!(self.from.io.as_ref().poll_read_ready(cx))?;
        let read = ready!(self.from.poll_fill(cx, self.expect))?;
        self.expect = if read < FLOWS { Expect::Head } else { Expect::Stream };
        self.moved += read as u64;
        Poll::Ready(Ok(read))
    }
}
