//! One connection, from its first byte to its last.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tower::Service;

use super::arrival::Arrival;
use super::drain::Drain;
use super::guard::Guard;
use super::requests::Requests;
use super::turns::Turns;
use crate::{BoxError, Limits};

/// hyper's own number of header fields, which live on its stack; setting any number, even this, moves them to the heap.
const HYPER_HEADER_FIELDS: usize = 100;

/// The least that hyper takes as a buffer.
const HYPER_LEAST_BUFFER: usize = 8 << 10;

/// Everything that the connections of a server share.
#[derive(Debug)]
pub(super) struct Connections<S> {
    service: S,
    http: http1::Builder,
    limits: Limits,
    drain: Drain,
}

impl<S, B> Connections<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    pub(super) fn new(service: S, limits: &Limits, drain: Drain) -> Self {
        Self { service, http: protocol(limits), limits: limits.clone(), drain }
    }

    /// Serves one connection to its end; the permit is held until then.
    pub(super) fn serve(
        &self,
        stream: TcpStream,
        permit: Option<OwnedSemaphorePermit>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (turns, arrival) = (Arc::new(Turns::default()), Arc::new(Arrival::new()));
        let guard = Guard::new(stream, Arc::clone(&turns), Arc::clone(&arrival), &self.limits);
        let requests = Requests { service: self.service.clone(), turns, arrival, drain: self.drain.clone() };
        // An answer is one small write: waiting for more to send would only add a delay.
        if let Err(error) = guard.set_nodelay() {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let connection = self.http.serve_connection(TokioIo::new(guard), requests);
        let (drain, linger) = (self.drain.clone(), self.limits.drain_linger);
        async move {
            let connection = pin!(connection);
            if let Err(error) = until_closed(connection, &drain, linger).await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        }
    }
}

/// Runs a connection. When the drain begins, it may bring one more request for a while (the answer says
/// `Connection: close`), then it is closed as soon as no request is in flight.
async fn until_closed<S, B>(
    mut connection: Pin<&mut http1::Connection<TokioIo<Guard>, Requests<S>>>,
    drain: &Drain,
    linger: Duration,
) -> hyper::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<BoxError>,
{
    // The connection is polled first, so that bytes which have arrived are read before anything is closed.
    tokio::select! {
        biased;
        closed = connection.as_mut() => return closed,
        () = drain.begun() => {}
    }
    tokio::select! {
        biased;
        closed = connection.as_mut() => return closed,
        () = tokio::time::sleep(linger) => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

fn protocol(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    // The guard does this without arming a timer for every request.
    http.header_read_timeout(None);
    let head = limits.header_bytes.max(HYPER_LEAST_BUFFER);
    http.max_header_size(head).max_buf_size(head);
    if limits.header_fields != HYPER_HEADER_FIELDS {
        http.max_headers(limits.header_fields);
    }
    http
}
