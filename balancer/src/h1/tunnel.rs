//! A connection that has left HTTP.

use std::fmt;

use http::HeaderValue;
use tokio::net::TcpStream;

use super::reader::Reader;

/// A replica's connection on which it goes on in another protocol, as the body of the answer that says so.
pub(crate) struct Tunnel {
    pub(crate) protocol: HeaderValue,
    /// With what the replica has said already.
    pub(crate) replica: Reader<TcpStream>,
    kept: Vec<Box<dyn Send>>,
}

impl Tunnel {
    pub(crate) fn new(protocol: HeaderValue, replica: Reader<TcpStream>) -> Self {
        Self { protocol, replica, kept: Vec::new() }
    }

    /// Keeps something, such as a count as in flight, until the tunnel ends.
    pub(crate) fn keep(&mut self, kept: impl Send + 'static) {
        self.kept.push(Box::new(kept));
    }

    /// Takes the connection, and what lasts as long as it does.
    pub(crate) fn open(self) -> (Reader<TcpStream>, impl Send) {
        (self.replica, self.kept)
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}
