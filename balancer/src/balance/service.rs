//! Many services as one.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use tower::Service;

use super::{
    BalanceBuilder, BalanceError, Endpoints, Plain, Protocol, ResponseFuture, attempt::Attempt, set::Set,
};
use crate::{
    policy::{Policy, RoundRobin},
    status::Snapshot,
};

/// Many services of one type as a single one: each request goes to the endpoint that the policy picks,
/// and where the [`Protocol`] allows it, from a failed one to the next.
///
/// A [`Clone`] is a handle to the same endpoints. The request path takes no lock and hands nothing to a
/// task: it loads one pointer to an unchanging list of endpoints and updates counters beside each. The
/// endpoint's service is cloned for every attempt and made ready there, so a request waits for the
/// backpressure of its own endpoint alone.
///
/// Endpoints must be `Sync` for the balance to be sent between threads: for services without a name, use
/// `tower::util::BoxCloneSyncService`.
///
/// ```
/// use martello_balancer::{Balance, policy::RoundRobin};
/// use tower::{Service, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let double = |x: i64| async move { Ok::<_, std::io::Error>(2 * x) };
/// let mut balance = Balance::new(RoundRobin, [("one", service_fn(double)), ("two", service_fn(double))]);
/// assert_eq!(balance.ready().await?.call(21).await?, 42);
///
/// let snapshot = balance.snapshot();
/// assert_eq!(snapshot.endpoints[0].requests + snapshot.endpoints[1].requests, 1);
/// # Ok(()) }
/// ```
pub struct Balance<E, P: Policy = RoundRobin, C = Plain> {
    shared: Arc<Shared<E, P, C>>,
}

/// What every request needs: one pointer to it.
struct Shared<E, P: Policy, C> {
    set: Arc<Set<E, P>>,
    protocol: C,
}

impl<E, P: Policy> Balance<E, P> {
    /// Returns a balance over these endpoints, each with a name for the status, with default settings.
    pub fn new<N: Into<Arc<str>>>(policy: P, endpoints: impl IntoIterator<Item = (N, E)>) -> Self {
        BalanceBuilder::default().build(policy, endpoints)
    }
}

impl Balance<(), RoundRobin> {
    /// Returns a builder, for other than default settings.
    pub fn builder() -> BalanceBuilder {
        BalanceBuilder::default()
    }
}

impl<E, P: Policy, C> Balance<E, P, C> {
    pub(super) fn over(set: Set<E, P>, protocol: C) -> Self {
        Self { shared: Arc::new(Shared { set: Arc::new(set), protocol }) }
    }

    /// Returns a handle that adds, drains and removes endpoints.
    pub fn endpoints(&self) -> Endpoints<E, P> {
        Endpoints::new(Arc::clone(self.set()))
    }

    /// Returns what there is to know of every endpoint now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(self.set())
    }

    pub(crate) fn set(&self) -> &Arc<Set<E, P>> {
        &self.shared.set
    }

    /// Returns the protocol that requests and answers are read by.
    pub fn protocol(&self) -> &C {
        &self.shared.protocol
    }
}

impl<E, P, C, Req> Service<Req> for Balance<E, P, C>
where
    E: Service<Req> + Clone,
    P: Policy,
    C: Protocol<Req, E::Response, E::Error>,
{
    type Response = E::Response;
    type Error = BalanceError<E::Error>;
    type Future = ResponseFuture<E, P, C, Req>;

    /// Always ready: an endpoint is picked for each request, not before it.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let picked = Attempt::first(self.set());
        if picked.is_err() {
            self.set().no_endpoint.fetch_add(1, Ordering::Relaxed);
        }
        ResponseFuture::new(self.clone(), picked, request)
    }
}

// Not derived: all of it is shared, so none of it need be `Clone`.
impl<E, P: Policy, C> Clone for Balance<E, P, C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<E, P: Policy, C> fmt::Debug for Balance<E, P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balance")
            .field("policy", &self.set().policy)
            .field("endpoints", &self.endpoints())
            .finish_non_exhaustive()
    }
}
