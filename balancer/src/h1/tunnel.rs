//! A connection that has left HTTP.

use std::fmt;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http::HeaderValue;
use tokio::net::TcpStream;

use super::reader::Reader;

/// A replica's connection on which it goes on in another protocol, as the body of the answer that says so.
pub(crate) struct Tunnel {
    pub(crate) protocol: HeaderValue,
    /// With what the replica has said already.
    pub(crate) replica: Reader<TcpStream>,
    /// Ready when the replica is leaving; from then on the tunnel has a grace and no more.
    pub(crate) leaving: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// How many bytes the client was sent, for whoever wants to know in the end.
    pub(crate) sent: Arc<AtomicU64>,
    /// What lasts as long as the tunnel.
    pub(crate) kept: Vec<Box<dyn Send>>,
}

impl Tunnel {
    pub(crate) fn new(protocol: HeaderValue, replica: Reader<TcpStream>) -> Self {
        Self { protocol, replica, leaving: Box::pin(pending()), sent: Arc::default(), kept: Vec::new() }
    }

    /// Keeps something, such as a count as in flight, until the tunnel ends.
    pub(crate) fn keep(&mut self, kept: impl Send + 'static) {
        self.kept.push(Box::new(kept));
    }

    /// Lets the tunnel end a grace after this.
    pub(crate) fn ends_after(&mut self, leaving: impl Future<Output = ()> + Send + 'static) {
        self.leaving = Box::pin(leaving);
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}
