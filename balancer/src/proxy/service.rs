//! The proxy rules around any service.

use std::net::SocketAddr;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::Service;

use super::forwarded::Peer;
use super::future::ProxyFuture;
use super::{Via, hop_by_hop, max_forwards};
use crate::h1::Body;

/// What a proxy may do one way or the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProxyRules {
    /// How many proxies stand before this one and are believed, each of which has added an entry to `X-Forwarded-For`. What
    /// stands before these entries is the client's own invention and goes no further, nor does a `Forwarded` that came;
    /// `X-Real-IP` is who asked the first of the proxies, and `X-Forwarded-Proto` is what they say. 0 is right where
    /// clients come from the open network. With any other number clients must have no way past the proxies.
    ///
    /// Default: none is believed, but what came passes on as it is with the client's address behind it, as nginx's
    /// `$proxy_add_x_forwarded_for` does: what to believe of the list is for the replicas to know.
    pub trusted_hops: Option<u8>,
    /// Whether replicas are told who asked by `Forwarded` (RFC 7239), too. Default: no.
    pub forwarded: bool,
    /// The name under which the proxy appears in the `Via` of requests and answers. Default: none; it does not appear,
    /// as nginx does not.
    pub via: Option<Via>,
}

/// Applies the rules of a proxy to requests and answers of one client's connection.
///
/// Requests lose what concerns one hop and gain `X-Real-IP`, `X-Forwarded-For` and `X-Forwarded-Proto`; `Host`
/// passes as it came. An upgrade is offered to the replica only where the server passes it on
/// ([`Upgrades`](crate::Upgrades)); otherwise the client stays with HTTP/1.1. Answers lose what concerns one hop, too:
/// a replica that closes its connection does not close the client's.
///
/// ```
/// use std::convert::Infallible;
/// use http::{Request, Response};
/// use martello_balancer::{Body, Proxy, ProxyRules};
/// use tower::{ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let replica = service_fn(|request: Request<Body>| async move {
///     assert_eq!(request.headers()["x-real-ip"], "10.0.0.7");
///     assert!(!request.headers().contains_key("connection"));
///     Ok::<_, Infallible>(Response::new(Body::empty()))
/// });
/// let proxy = Proxy::new(replica, "10.0.0.7:51234".parse()?, ProxyRules::default());
/// let request = Request::get("/").header("connection", "close").body(Body::empty())?;
/// proxy.oneshot(request).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Proxy<S> {
    service: S,
    peer: Peer,
    rules: ProxyRules,
}

impl<S> Proxy<S> {
    /// Wraps the service that answers the client at `peer`.
    pub fn new(service: S, peer: SocketAddr, rules: ProxyRules) -> Self {
        Self { service, peer: Peer::new(peer, &rules), rules }
    }

    /// Returns the wrapped service.
    pub fn get_ref(&self) -> &S {
        &self.service
    }

    /// Returns the wrapped service, to change it.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.service
    }

    /// Unwraps the service.
    pub fn into_inner(self) -> S {
        self.service
    }
}

impl<S> Service<Request<Body>> for Proxy<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ProxyFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if let Some(answer) = max_forwards::count_down(&mut request) {
            return ProxyFuture::answered(answer);
        }
        hop_by_hop::remove(request.headers_mut());
        if let Some(via) = &self.rules.via {
            via.sign(request.version(), request.headers_mut());
        }
        self.peer.tell_in(&mut request, &self.rules);
        ProxyFuture::forwarded(self.service.call(request), self.rules.via)
    }
}
