//! The accept loop and its end.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinError, JoinSet, unconstrained};
use tokio::time::{sleep, timeout};
use tower::Service;

use super::config::ServerConfig;
use super::connection::{Connection, Served};
use super::drain::{Drain, Stage};
use super::stats::ConnectionStats;
use super::workers::{Place, Workers};
use crate::error::Error;
use crate::h1::{Body, Keep};

/// How many connections may wait to be accepted. 4,096, the most that Linux allows by default (`somaxconn`): it
/// takes in a burst of new users at once.
pub const BACKLOG: u32 = 4_096;

/// How long the loop waits when the process has no file descriptor left. A tenth of a second: connections end in
/// the meantime, and trying at once would only burn the processor.
const NO_SOCKET_PAUSE: Duration = Duration::from_millis(100);

/// Opens a listener with a backlog of [`BACKLOG`] connections on an address that may be in `TIME_WAIT`.
///
/// # Errors
///
/// When the address is in use or may not be used.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    open(address, false)
}

/// The same, also where another process of this user listens in this way.
pub(crate) fn listen_beside(address: SocketAddr) -> io::Result<TcpListener> {
    open(address, true)
}

fn open(address: SocketAddr, beside: bool) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    if beside {
        socket.set_reuseport(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves HTTP/1.1 on `listener` until `shutdown`, then ends without losing an answer.
///
/// `make` gives each connection, known by its peer's address, a service of its own; an error that the service
/// returns is answered as its kind says. Each connection is one task.
///
/// When `shutdown` resolves, connections that wait in the backlog are still taken, answers say
/// `Connection: close`, idle connections are closed after [`ServerConfig::drain_notice`] and requests under way get
/// [`ServerConfig::drain_grace`]. Dropping the future cuts everything off at once.
///
/// ```
/// use std::convert::Infallible;
/// use http::{Request, Response};
/// use martello_balancer::{Body, ConnectionStats, ServerConfig, listen, serve};
/// use tower::service_fn;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let listener = listen("127.0.0.1:0".parse().expect("an address"))?;
/// let shutdown = async {}; // at once, in this example
/// let hello = |peer| {
///     service_fn(move |_: Request<Body>| async move {
///         Ok::<_, Infallible>(Response::new(Body::from(format!("hello, {peer}"))))
///     })
/// };
/// serve(listener, hello, ServerConfig::default(), ConnectionStats::new(), shutdown).await;
/// # Ok(())
/// # }
/// ```
pub async fn serve<M, S>(
    listener: TcpListener,
    make: M,
    config: ServerConfig,
    stats: ConnectionStats,
    shutdown: impl Future<Output = ()>,
) where
    M: FnMut(SocketAddr) -> S,
    S: Service<Request<Body>, Response = Response<Body>> + Send + 'static,
    S::Error: Into<Error>,
    S::Future: Send,
{
    let notice = config.drain_notice;
    let end = async move {
        shutdown.await;
        notice
    };
    serve_until(Keep::Map, listener, make, config, stats, end).await;
}

/// The same, where whatever ends it says for how long idle connections are still listened to.
///
/// Services of this crate know that fields may have stayed as they came, and may be given them so.
pub(crate) async fn serve_until<M, S>(
    keep: Keep,
    listener: TcpListener,
    mut make: M,
    config: ServerConfig,
    stats: ConnectionStats,
    end: impl Future<Output = Duration>,
) where
    M: FnMut(SocketAddr) -> S,
    S: Service<Request<Body>, Response = Response<Body>> + Send + 'static,
    S::Error: Into<Error>,
    S::Future: Send,
{
    let (workers, config, drain) = (Workers::start(config.workers), Arc::new(config), Drain::default());
    let mut server = Server { workers, config, keep, stats, drain, connections: JoinSet::new() };
    let mut end = pin!(end);
    let notice = loop {
        let has_room = server.connections.len() < server.config.max_connections;
        tokio::select! {
            biased;
            notice = &mut end => break notice,
            Some(ended) = server.connections.join_next() => report(ended),
            accepted = listener.accept(), if has_room => server.take(accepted, &mut make).await,
        }
    };
    server.drain.enter(Stage::LastAnswers);
    for _ in 0..BACKLOG {
        let Some(accepted) = accept_now(&listener).await else { break };
        server.take(accepted, &mut make).await;
    }
    drop(listener);
    server.wind_down(notice).await;
}

type Accepted = io::Result<(TcpStream, SocketAddr)>;

/// What waits in the backlog already.
async fn accept_now(listener: &TcpListener) -> Option<Accepted> {
    let accepted = poll_fn(|cx| {
        Poll::Ready(match listener.poll_accept(cx) {
            Poll::Ready(accepted) => Some(accepted),
            Poll::Pending => None,
        })
    });
    // Without tokio's budget, which would end it in the middle. An error of the listener is the end of it: there is no later
    // time to try again.
    let is_one = |accepted: &Accepted| accepted.as_ref().err().is_none_or(concerns_one_connection);
    unconstrained(accepted).await.filter(is_one)
}

struct Server {
    workers: Workers,
    config: Arc<ServerConfig>,
    keep: Keep,
    stats: ConnectionStats,
    drain: Drain,
    connections: JoinSet<()>,
}

impl Server {
    async fn take<M, S>(&mut self, accepted: Accepted, make: &mut M)
    where
        M: FnMut(SocketAddr) -> S,
        S: Service<Request<Body>, Response = Response<Body>> + Send + 'static,
        S::Error: Into<Error>,
        S::Future: Send,
    {
        match accepted {
            Ok((stream, peer)) => self.start(stream, make(peer)),
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted for now");
                sleep(NO_SOCKET_PAUSE).await;
            }
        }
    }

    fn start<S>(&mut self, stream: TcpStream, service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>> + Send + 'static,
        S::Error: Into<Error>,
        S::Future: Send,
    {
        self.stats.accept();
        let Some((worker, place)) = self.workers.place() else {
            let connection = self.connection(stream, None);
            self.connections.spawn(connection.run(service));
            return;
        };
        // Sockets and timers belong to the runtime that was entered when they were made. A socket that cannot be
        // moved to another one is closed, as one that could not be accepted.
        let _entered = worker.enter();
        let Ok(stream) = stream.into_std().and_then(TcpStream::from_std) else { return };
        let connection = self.connection(stream, Some(place));
        self.connections.spawn_on(connection.run(service), worker);
    }

    fn connection(&self, stream: TcpStream, place: Option<Place>) -> Connection {
        // Head and small body leave in one write: nothing is gained by waiting for more. A failure means that the
        // client is gone already, which reading will tell.
        let _ = stream.set_nodelay(true);
        let served = Served { config: Arc::clone(&self.config), keep: self.keep, place };
        Connection::new(stream, self.drain.listen(), self.stats.connection(), served)
    }

    async fn wind_down(mut self, notice: Duration) {
        let grace = self.config.drain_grace;
        if timeout(notice, self.all_ended()).await.is_ok() {
            return;
        }
        self.drain.enter(Stage::NoMoreRequests);
        if timeout(grace, self.all_ended()).await.is_err() {
            tracing::warn!(requests = self.connections.len(), "requests were cut off after the grace period");
            self.connections.shutdown().await;
        }
    }

    async fn all_ended(&mut self) {
        while let Some(ended) = self.connections.join_next().await {
            report(ended);
        }
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked");
    }
}

/// Errors of a connection that ended before it was accepted; the next one may be fine.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Io;
    matches!(
        error.kind(),
        Io::ConnectionAborted | Io::ConnectionReset | Io::ConnectionRefused | Io::Interrupted | Io::TimedOut
    )
}
