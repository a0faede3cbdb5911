//! One replica: a model, an address, and the loop between them.

mod builder;
mod listen;

use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tower::Service;

pub use self::builder::ReplicaBuilder;
use crate::server::{Drain, Server};
use crate::{Api, BoxError, Error};

/// A model behind HTTP on one address.
///
/// ```
/// use martello_serving::{Replica, Slot};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), martello_serving::Error> {
/// let slot = Slot::empty();
/// let replica = Replica::builder().name("replica-1").listen("127.0.0.1:0").slot(slot.clone()).bind().await?;
/// println!("answers 503 on {} until the slot has a model", replica.local_addr());
///
/// let shutdown = async {}; // Ctrl-C in a program
/// replica.serve(shutdown).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Replica<S = Api> {
    name: String,
    local_addr: SocketAddr,
    server: Server,
    service: S,
    drain: Drain,
}

impl Replica {
    /// Begins to describe a replica.
    #[must_use]
    pub fn builder() -> ReplicaBuilder {
        ReplicaBuilder::new()
    }
}

impl<S> Replica<S> {
    /// Returns the name, which the log uses.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the address that is listened on, with the port that the system chose for port 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Returns the signal of this replica's drain, to begin it early or to watch it.
    #[must_use]
    pub fn drain(&self) -> Drain {
        self.drain.clone()
    }
}

impl<S, B> Replica<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Serves until `shutdown` resolves, then drains: `/health` says so, the address takes no new connections, requests in
    /// flight are answered, and every answer closes its connection.
    ///
    /// # Errors
    /// None today: whatever goes wrong with a socket is survived and logged.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        tracing::info!(replica = self.name, address = %self.local_addr, "serving");
        self.server.serve(self.service, shutdown).await;
        tracing::info!(replica = self.name, "drained");
        Ok(())
    }
}
