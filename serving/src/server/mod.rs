//! The HTTP/1.1 loop: sockets in, requests to a tower service, answers out, under limits, until it is told to drain.
//!
//! It stands on hyper's connection and decides what hyper leaves open: how many connections there are, how long each may
//! keep us waiting (hyper's own header timeout arms a timer for every request; here one timer per connection is moved only
//! when it fires), how errors of `accept` are survived, and how a process that is told to stop stops.

mod accept;
mod arrival;
mod connection;
mod drain;
mod guard;
mod lingering;
mod requests;
mod turns;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tower::Service;

use self::accept::accept;
use self::connection::Connections;
pub use self::drain::Drain;
use crate::{BoxError, Limits};
/// What bodies of answers are, for bounds of services that are served.
pub use http_body::Body;
/// The body of a request as it comes from its connection.
pub use hyper::body::Incoming;

/// Serves any tower HTTP service on a listener.
///
/// ```no_run
/// use bytes::Bytes;
/// use http::Response;
/// use http_body_util::Full;
/// use martello_serving::{Limits, server::{Drain, Server}};
/// use tower::service_fn;
///
/// # async fn run() -> std::io::Result<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
/// let hello = service_fn(|_| async { Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello"))) });
/// let shutdown = async { drop(tokio::signal::ctrl_c().await) };
/// Server::new(listener, Limits::default(), Drain::new()).serve(hello, shutdown).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    limits: Limits,
    drain: Drain,
}

impl Server {
    /// Puts a server on a listener; `drain` lets others see when it begins to stop.
    #[must_use]
    pub fn new(listener: TcpListener, limits: Limits, drain: Drain) -> Self {
        Self { listener, limits, drain }
    }

    /// Serves until `shutdown` resolves, then drains: takes the connections that already stand in the kernel's queue and no
    /// further ones, answers what is in flight and what still comes within [`Limits::drain_linger`], with
    /// `Connection: close`, and returns when the last connection is closed or after [`Limits::drain_grace`].
    ///
    /// Dropping the future closes everything at once.
    pub async fn serve<S, B>(self, service: S, shutdown: impl Future<Output = ()>)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let connections = Connections::new(service, &self.limits, self.drain.clone());
        let permits = Arc::new(Semaphore::new(self.limits.connections.min(Semaphore::MAX_PERMITS)));
        let mut open = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = open.join_next(), if !open.is_empty() => {}
                (stream, permit) = admit(&self.listener, &permits) => {
                    drop(open.spawn(connections.serve(stream, permit)));
                }
            }
        }
        self.drain.begin();
        for stream in accept::waiting(self.listener) {
            // Past the limit there is no permit, and the process is about to end: better served than reset.
            drop(open.spawn(connections.serve(stream, Arc::clone(&permits).try_acquire_owned().ok())));
        }
        let all_closed = async { while open.join_next().await.is_some() {} };
        if tokio::time::timeout(self.limits.drain_grace, all_closed).await.is_err() {
            tracing::warn!(
                connections = open.len(),
                "connections were still open at the end of the grace period"
            );
        }
    }
}

/// Waits for the right to one more connection, then for the connection.
async fn admit(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (tokio::net::TcpStream, Option<OwnedSemaphorePermit>) {
    let permit = Arc::clone(permits).acquire_owned().await.ok();
    (accept(listener).await, permit)
}
