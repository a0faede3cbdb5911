//! The endpoint itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::Service;

use super::config::EndpointConfig;
use super::exchange::Exchange;
use super::pool::Pool;
use crate::error::Error;
use crate::h1::{Body, Keep};

/// A replica that speaks HTTP/1.1, as a tower service.
///
/// Clones share one pool of connections. It is always ready: how many requests may be under way is for whoever
/// balances to say. Each request is written and its answer read in the task that awaits the future.
///
/// The endpoint passes on what it is given. What a proxy must take out and add is the work of
/// [`Proxy`](crate::Proxy).
///
/// ```no_run
/// use http::Request;
/// use martello_balancer::{Body, EndpointConfig, HttpEndpoint};
/// use tower::ServiceExt;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let replica = HttpEndpoint::new("127.0.0.1:9001".parse()?, EndpointConfig::default());
/// let request = Request::post("/predict").body(Body::from(r#"{"feature1": 5.3}"#))?;
/// let response = replica.oneshot(request).await?;
/// println!("{} {:?}", response.status(), response.body().as_bytes());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HttpEndpoint {
    pool: Arc<Pool>,
}

impl HttpEndpoint {
    /// Creates the endpoint; nothing is connected before the first request.
    pub fn new(address: SocketAddr, config: EndpointConfig) -> Self {
        Self { pool: Pool::new(address, config, Keep::Map) }
    }

    /// Creates an endpoint whose answers keep their fields as they came, for services of this crate.
    pub(crate) fn verbatim(address: SocketAddr, config: EndpointConfig) -> Self {
        Self { pool: Pool::new(address, config, Keep::Verbatim) }
    }

    /// Returns the replica's address.
    pub fn address(&self) -> SocketAddr {
        self.pool.address
    }
}

impl Service<Request<Body>> for HttpEndpoint {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Exchange;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Exchange {
        Exchange::new(Arc::clone(&self.pool), request)
    }
}
