//! A socket that does not wait for ever.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::arrival::{Arrival, NotingWaker};
use super::lingering::Lingering;
use super::turns::Turns;
use crate::Limits;

/// A stream with deadlines for a request's head, for idleness and for a client that does not read; a missed one is an
/// error of the stream, which ends the connection.
#[derive(Debug)]
pub(super) struct Guard {
    stream: TcpStream,
    turns: Arc<Turns>,
    waker: NotingWaker,
    head_read: Duration,
    idle: Duration,
    write_stall: Duration,
    /// What we wait for in reading, if it is the client's turn.
    waiting: Option<Waiting>,
    read: Alarm,
    write: Alarm,
    lingering: Lingering,
}

/// The client's turn that is being waited for, and how much of it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiting {
    turn: u32,
    begun: bool,
}

impl Guard {
    pub(super) fn new(stream: TcpStream, turns: Arc<Turns>, arrival: Arc<Arrival>, limits: &Limits) -> Self {
        Self {
            stream,
            turns,
            waker: NotingWaker::new(arrival),
            head_read: limits.head_read,
            idle: limits.idle,
            write_stall: limits.write_stall,
            // A new connection owes its first request as if that had begun: there was no idleness before it.
            waiting: None,
            read: Alarm::default(),
            write: Alarm::default(),
            lingering: Lingering::new(limits.linger),
        }
    }

    pub(super) fn set_nodelay(&self) -> io::Result<()> {
        self.stream.set_nodelay(true)
    }

    /// Nothing came: notes since when we wait for it, and fails if that is too long.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let turn = self.turns.number();
        if !Turns::is_clients(turn) {
            // The model's turn, or a body's, which has its own deadline.
            self.waiting = None;
            return Poll::Pending;
        }
        let begun = match self.waiting {
            Some(waiting) if waiting.turn == turn => waiting.begun,
            _ => turn == 0,
        };
        if self.waiting != Some(Waiting { turn, begun }) {
            self.waiting = Some(Waiting { turn, begun });
            self.read.set(if begun { self.head_read } else { self.idle });
        }
        self.read.poll(context).map(|()| timed_out(if begun { "request head" } else { "next request" }))
    }

    fn is_idle(&self) -> bool {
        self.waiting == Some(Waiting { turn: self.turns.number(), begun: false })
    }

    /// Bytes came: if it is the client's turn, a head has begun and gets its own deadline, once.
    fn note_arrival(&mut self) {
        if let Some(waiting) = &mut self.waiting
            && !waiting.begun
        {
            waiting.begun = true;
            self.read.set(self.head_read);
        }
    }

    fn poll_write_patience<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write.clear();
            return written;
        }
        self.write.set_once(self.write_stall);
        self.write.poll(context).map(|()| Err(timed_out("client to take the answer")))
    }
}

fn timed_out(waited_for: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("waited too long for the {waited_for}"))
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let mut noting = Context::from_waker(this.waker.waker(context));
        match Pin::new(&mut this.stream).poll_read(&mut noting, buffer) {
            Poll::Pending => self.poll_patience(context).map(Err),
            ready => {
                self.note_arrival();
                ready
            }
        }
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.poll_write_patience(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.poll_write_patience(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_idle() {
            // Nothing was sent that has not been read, so there is no answer that a reset could destroy.
            return Pin::new(&mut this.stream).poll_shutdown(context);
        }
        this.lingering.poll(&mut this.stream, context)
    }
}

/// A deadline that is cheap to move: the timer underneath is only touched when it fires too early.
#[derive(Debug, Default)]
struct Alarm {
    due: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    fn set(&mut self, within: Duration) {
        let due = Instant::now() + within;
        self.due = Some(due);
        if let Some(timer) = &mut self.timer
            && timer.deadline() > due
        {
            timer.as_mut().reset(due);
        }
    }

    fn set_once(&mut self, within: Duration) {
        if self.due.is_none() {
            self.set(within);
        }
    }

    fn clear(&mut self) {
        self.due = None;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}
