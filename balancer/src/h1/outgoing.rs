//! One message on its way out: head and body in as few writes as they fit in.

use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::Body as _;
use tokio::io::AsyncWrite;

use super::body::Body;
use super::encode;
use super::framing::Framing;
use super::numbers::chunk_size;
use super::spare::Spare;
use super::upgrade::Upgrade;
use crate::error::{Error, ErrorKind};

/// Content up to this size is copied behind the head, larger content is written from where it lies. 8 KiB: a copy
/// of it costs about what the second slice of a vectored write does.
const COPIED: usize = 8 * 1024;

/// How much is gathered before it is written, when a body delivers many small pieces at once.
const GATHERED: usize = 16 * 1024;

/// Room for a head and a small body: common ones fit, so that writing them does not allocate again and again.
const HEAD: usize = 1024;

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A message that is being written.
///
/// It knows how many of its bytes the kernel has taken: what was not sent provably was not processed.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// The head, chunk framing and small content; `from` is where the unsent part starts.
    buffer: Vec<u8>,
    from: usize,
    /// Content that was not copied, sent after the buffer, and what follows it.
    content: Bytes,
    tail: &'static [u8],
    body: Body,
    framing: Sending,
    sent: u64,
    /// Whether anything of the body was taken out of it.
    is_begun: bool,
    /// What the last request that offered to go on as something else has offered.
    pub(crate) offered: Option<Upgrade>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sending {
    #[default]
    Done,
    Length(u64),
    Chunked,
    UntilClose,
}

/// Why a message could not be written.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection failed.
    Io(io::Error),
    /// The body did: the message must not end as if it were whole.
    Body(Error),
}

impl Outgoing {
    /// The place where the head is written before [`start`](Self::start).
    pub(crate) fn head(&mut self) -> &mut Vec<u8> {
        if self.buffer.capacity() == 0 {
            self.buffer = Vec::borrow();
        }
        self.buffer.clear();
        self.from = 0;
        self.buffer.reserve(HEAD);
        &mut self.buffer
    }

    /// Begins a message whose head was written.
    pub(crate) fn start(&mut self, framing: Framing, body: Body) {
        (self.sent, self.is_begun) = (0, false);
        if let Framing::Length(length) = framing
            && let Some(content) = body.as_bytes()
            && content.len() as u64 == length
            && content.len() <= COPIED
        {
            self.buffer.extend_from_slice(content);
            (self.framing, self.body) = (Sending::Done, Body::empty());
            return;
        }
        self.framing = match framing {
            Framing::Empty => Sending::Done,
            Framing::Length(length) => Sending::Length(length),
            Framing::Chunked => Sending::Chunked,
            Framing::UntilClose => Sending::UntilClose,
        };
        self.body = if framing == Framing::Empty { Body::empty() } else { body };
    }

    /// Returns whether there is a body that was not copied behind the head.
    pub(crate) fn has_body(&self) -> bool {
        self.framing != Sending::Done
    }

    /// Takes the body back, if nothing was taken out of it.
    pub(crate) fn take_body(&mut self) -> Option<Body> {
        (self.has_body() && !self.is_begun).then(|| mem::take(&mut self.body))
    }

    /// Returns how many bytes of the message the kernel has taken.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns whether it is the connection that does not take more, rather than the body that has no more.
    pub(crate) fn is_blocked(&self) -> bool {
        self.unsent() > 0
    }

    /// Gives the buffer's memory back while nothing is to be sent.
    pub(crate) fn release(&mut self) {
        if self.unsent() == 0 {
            mem::take(&mut self.buffer).give_back();
        }
    }

    /// Writes until the whole message was taken; may be polled again after a body's `Pending`.
    pub(crate) fn poll_write<W>(&mut self, cx: &mut Context<'_>, io: &mut W) -> Poll<Result<(), Failure>>
    where
        W: AsyncWrite + Unpin,
    {
        loop {
            let gathered = self.gather(cx).map_err(Failure::Body)?;
            ready!(self.poll_flush(cx, io)).map_err(Failure::Io)?;
            match gathered {
                Gathered::All => return Poll::Ready(Ok(())),
                Gathered::Enough => {}
                Gathered::Pending => return Poll::Pending,
            }
        }
    }

    /// Takes from the body what it has, until a write is worth it.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<Gathered, Error> {
        while self.framing != Sending::Done {
            // The buffer goes first: what belongs behind the content must not get in front of it, nor be forgotten.
            let waits = !self.content.is_empty() || !self.tail.is_empty();
            if waits || self.buffer.len() - self.from >= GATHERED {
                return Ok(Gathered::Enough);
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Ok(Gathered::Pending),
                Poll::Ready(None) => self.finish(None)?,
                Poll::Ready(Some(frame)) => {
                    self.is_begun = true;
                    match frame?.into_data() {
                        Ok(data) => self.push(data)?,
                        Err(frame) => self.finish(frame.into_trailers().ok().as_ref())?,
                    }
                }
            }
        }
        Ok(Gathered::All)
    }

    fn push(&mut self, data: Bytes) -> Result<(), Error> {
        if data.is_empty() {
            return Ok(());
        }
        let chunked = self.framing == Sending::Chunked;
        if let Sending::Length(left) = &mut self.framing {
            *left = left.checked_sub(data.len() as u64).ok_or_else(longer_than_declared)?;
        }
        if chunked {
            chunk_size(&mut self.buffer, data.len());
        }
        let tail: &'static [u8] = if chunked { b"\r\n" } else { b"" };
        if data.len() <= COPIED {
            self.buffer.extend_from_slice(&data);
            self.buffer.extend_from_slice(tail);
        } else {
            self.content = data;
            self.tail = tail;
            // Said in the same write when it is known: no packet of its own for five bytes.
            if chunked && self.body.is_end_stream() {
                self.tail = b"\r\n0\r\n\r\n";
                self.framing = Sending::Done;
            }
        }
        if self.framing == Sending::Length(0) {
            self.framing = Sending::Done;
            self.body = Body::empty();
        }
        Ok(())
    }

    fn finish(&mut self, trailers: Option<&HeaderMap>) -> Result<(), Error> {
        match (self.framing, trailers) {
            (Sending::Length(1..), _) => return Err(shorter_than_declared()),
            (Sending::Chunked, Some(trailers)) => encode::trailers(&mut self.buffer, trailers),
            (Sending::Chunked, None) => self.buffer.extend_from_slice(LAST_CHUNK),
            _ => {}
        }
        self.framing = Sending::Done;
        self.body = Body::empty();
        Ok(())
    }

    fn unsent(&self) -> usize {
        self.buffer.len() - self.from + self.content.len() + self.tail.len()
    }

    fn poll_flush<W>(&mut self, cx: &mut Context<'_>, io: &mut W) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin,
    {
        while self.unsent() > 0 {
            let head = &self.buffer[self.from..];
            let taken = if self.content.is_empty() && self.tail.is_empty() {
                ready!(Pin::new(&mut *io).poll_write(cx, head))?
            } else {
                let slices = [IoSlice::new(head), IoSlice::new(&self.content), IoSlice::new(self.tail)];
                ready!(Pin::new(&mut *io).poll_write_vectored(cx, &slices))?
            };
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(taken);
        }
        self.buffer.clear();
        self.from = 0;
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, taken: usize) {
        self.sent += taken as u64;
        let of_buffer = taken.min(self.buffer.len() - self.from);
        self.from += of_buffer;
        let of_content = (taken - of_buffer).min(self.content.len());
        self.content.advance(of_content);
        self.tail = &self.tail[taken - of_buffer - of_content..];
    }
}

/// Why gathering stopped.
enum Gathered {
    /// The whole rest of the message is in memory.
    All,
    /// There is enough for a write.
    Enough,
    /// The body has no more for now.
    Pending,
}

fn longer_than_declared() -> Error {
    Error::new(ErrorKind::Service, "a body is longer than it declared")
}

fn shorter_than_declared() -> Error {
    Error::new(ErrorKind::Service, "a body ended before its declared length")
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::future::poll_fn;

    use http_body::Frame;
    use http_body_util::{BodyExt, Full};
    use proptest::prelude::*;

    use super::*;

    /// A connection that takes so many bytes a call, and is not always ready.
    #[derive(Default)]
    struct Slow {
        taken: Vec<u8>,
        at_once: usize,
        calls: usize,
        stutters: bool,
    }

    impl AsyncWrite for Slow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.calls += 1;
            if self.stutters && self.calls.is_multiple_of(2) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let taken = bytes.len().min(self.at_once);
            self.taken.extend_from_slice(&bytes[..taken]);
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    async fn write(framing: Framing, body: Body, io: &mut Slow) -> (Result<(), Failure>, u64) {
        let mut outgoing = Outgoing::default();
        outgoing.head().extend_from_slice(b"HEAD");
        outgoing.start(framing, body);
        let result = poll_fn(|cx| outgoing.poll_write(cx, io)).await;
        (result, outgoing.sent())
    }

    #[tokio::test]
    async fn head_and_small_body_are_one_write() {
        let mut io = Slow { at_once: 1 << 20, ..Slow::default() };
        let (result, sent) = write(Framing::Length(3), Body::from("abc"), &mut io).await;
        assert!(result.is_ok());
        assert_eq!((io.calls, sent, &io.taken[..]), (1, 7, &b"HEADabc"[..]));
    }

    #[tokio::test]
    async fn a_body_that_is_not_as_long_as_declared_is_no_whole_message() {
        for (declared, body) in [(2, "abc"), (4, "abc")] {
            let mut io = Slow { at_once: 1 << 20, ..Slow::default() };
            let (result, _) = write(Framing::Length(declared), Body::from(body), &mut io).await;
            assert!(matches!(result, Err(Failure::Body(_))), "{declared}");
            assert!(io.taken.len() < 4 + usize::try_from(declared).unwrap());
        }
    }

    #[tokio::test]
    async fn trailers_follow_the_last_chunk() {
        let trailers =
            HeaderMap::from_iter([(http::HeaderName::from_static("x-sum"), http::HeaderValue::from(7))]);
        let body = Full::new(Bytes::from_static(b"abc")).with_trailers(async { Some(Ok(trailers)) });
        let mut io = Slow { at_once: 1 << 20, ..Slow::default() };
        write(Framing::Chunked, Body::new(body), &mut io).await.0.unwrap();
        assert_eq!(String::from_utf8(io.taken).unwrap(), "HEAD3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n");
    }

    /// A body in pieces.
    struct Pieces(VecDeque<Bytes>);

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }

    /// Pieces of these sizes, and how they look on the wire.
    fn pieces(sizes: &[usize], chunked: bool) -> (Body, Vec<u8>) {
        let (mut pieces, mut wire) = (VecDeque::new(), b"HEAD".to_vec());
        for size in sizes {
            let content: Vec<u8> = (0..*size).map(|at| at as u8).collect();
            if chunked && *size > 0 {
                wire.extend_from_slice(format!("{size:x}\r\n").as_bytes());
            }
            wire.extend_from_slice(&content);
            if chunked && *size > 0 {
                wire.extend_from_slice(b"\r\n");
            }
            pieces.push_back(Bytes::from(content));
        }
        if chunked {
            wire.extend_from_slice(LAST_CHUNK);
        }
        (Body::new(Pieces(pieces)), wire)
    }

    #[tokio::test]
    async fn what_ends_a_chunk_comes_before_the_next_one() {
        for next in [9_001, 5] {
            let (body, wire) = pieces(&[9_001, next], true);
            let mut io = Slow { at_once: 9_001, stutters: true, ..Slow::default() };
            write(Framing::Chunked, body, &mut io).await.0.unwrap();
            assert!(io.taken == wire, "{next}");
        }
    }

    proptest! {
        #[test]
        fn what_arrives_does_not_depend_on_what_the_kernel_takes_at_once(
            sizes in prop::collection::vec(prop_oneof![0_usize..100, 8_000_usize..20_000], 0..4),
            at_once in 1_usize..9_000, stutters: bool, chunked: bool,
        ) {
            let (body, expected) = pieces(&sizes, chunked);
            let size = sizes.iter().sum::<usize>() as u64;
            let framing = if chunked { Framing::Chunked } else { Framing::Length(size) };
            let mut io = Slow { at_once, stutters, ..Slow::default() };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (result, sent) = runtime.block_on(write(framing, body, &mut io));
            prop_assert!(result.is_ok());
            prop_assert_eq!(sent, io.taken.len() as u64);
            prop_assert_eq!(io.taken, expected);
        }
    }
}
