//! A user's connection: a socket, and whether it can serve another request.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::engine::exchange::{Exchange, Fault};
use crate::wire::Answer;

/// A socket that the user's own task drives: no second task to allocate, and none to wake for every answer. Between
/// requests nobody looks at it, and it holds no buffer; [`is_open`](Self::is_open) looks once before the next.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    /// Whether the last answer, if there was one, has arrived to its end and nothing beyond it.
    is_at_rest: bool,
}

impl Connection {
    /// Connects to the first of `addresses` that accepts, beginning at the place `first`.
    pub(super) async fn open(addresses: &[SocketAddr], first: usize) -> io::Result<Self> {
        let mut last_error = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for place in 0..addresses.len() {
            match TcpStream::connect(addresses[(first + place) % addresses.len()]).await {
                Ok(stream) => return Self::over(stream),
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        // A request leaves in one write; waiting for more would only add Nagle's delay.
        stream.set_nodelay(true)?;
        Ok(Self { stream, is_at_rest: true })
    }

    /// Whether a request can be sent: notices what the server closed, or sent unasked, since the last answer.
    pub(super) fn is_open(&self) -> bool {
        let nothing_came =
            || self.stream.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        self.is_at_rest && nothing_came()
    }

    /// Whether another request may be sent later, unless the server closes the connection until then.
    pub(super) fn is_at_rest(&self) -> bool {
        self.is_at_rest
    }

    /// Sends `request` and reads on until `answer` is whole.
    pub(super) async fn exchange(&mut self, request: &[u8], answer: &mut Answer<'_>) -> Result<(), Fault> {
        self.is_at_rest = false;
        let mut exchange = Exchange::new(&mut self.stream, request, answer);
        let sent = poll_fn(|cx| exchange.poll(cx)).await?;
        self.is_at_rest = sent.is_complete() && answer.leaves_the_connection_open();
        Ok(())
    }
}
