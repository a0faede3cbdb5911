//! One connection to a replica.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::error::{Error, ErrorKind};
use crate::h1::{Alarm, Heads, Outgoing, Reader, response::ResponseHead};

/// A connection with its buffers and its alarm, which requests use one after the other.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) reader: Reader<TcpStream>,
    pub(super) heads: Heads<ResponseHead>,
    pub(super) outgoing: Outgoing,
    pub(super) alarm: Alarm,
    /// Whether a request was answered on it before: then the replica may have closed it in the meantime.
    pub(super) reused: bool,
}

impl Connection {
    /// Connects within `limit`.
    pub(super) async fn open(address: SocketAddr, limit: Duration) -> Result<Box<Self>, Error> {
        let stream = match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(refused(error)),
            Err(_) => {
                return Err(Error::new(
                    ErrorKind::ConnectTimeout,
                    "an endpoint did not accept a connection in time",
                ));
            }
        };
        // Head and small body leave in one write: nothing is gained by waiting for more.
        stream.set_nodelay(true).map_err(refused)?;
        Ok(Box::new(Self {
            reader: Reader::new(stream),
            heads: Heads::default(),
            outgoing: Outgoing::default(),
            alarm: Alarm::default(),
            reused: false,
        }))
    }

    /// Returns whether nothing speaks against another request, without a system call when nothing happened.
    pub(super) fn is_quiet(&self) -> bool {
        let mut byte = [0];
        let pending = matches!(self.reader.io.try_read(&mut byte), Err(error) if would_block(&error));
        // Whatever came without having been asked for is not the answer to the next request.
        pending && self.reader.buffer.is_empty()
    }

    /// Empties the buffers for the next request, keeping their memory.
    pub(super) fn reset(&mut self) {
        self.reused = true;
        self.alarm.clear();
        debug_assert!(self.reader.buffer.is_empty(), "a connection with unread bytes is not reused");
    }

    /// Bytes that came and were not taken.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.reader.buffer
    }
}

fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Errors that are this machine's own lack say nothing about the replica.
fn refused(error: io::Error) -> Error {
    use io::ErrorKind as Io;
    let ours = matches!(
        error.kind(),
        Io::AddrNotAvailable | Io::OutOfMemory | Io::PermissionDenied | Io::QuotaExceeded
    ) || matches!(error.raw_os_error(), Some(libc_errno::EMFILE | libc_errno::ENFILE));
    match ours {
        // Not this request's fault, nor any endpoint's, and over when others have ended: 503, not 500.
        true => Error::new(ErrorKind::Overloaded, "no socket is left for a connection to an endpoint")
            .because(error),
        false => Error::new(ErrorKind::Connect, "an endpoint refused a connection").because(error),
    }
}

/// Linux and the BSDs agree on these two; the standard library has no kind for them.
mod libc_errno {
    pub(super) const ENFILE: i32 = 23;
    pub(super) const EMFILE: i32 = 24;
}
