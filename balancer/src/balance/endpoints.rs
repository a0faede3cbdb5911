//! The handle that changes the set of endpoints while requests run.

use std::{fmt, future::Future, num::NonZeroU16, sync::Arc};

use super::{node::Node, set::Set};
use crate::policy::Policy;

/// Adds, drains and removes endpoints of a running [`Balance`](crate::Balance); a cheap handle that may
/// be cloned.
///
/// ```
/// use martello_balancer::{Balance, policy::RoundRobin};
/// use tower::{ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let replica = |name: &'static str| service_fn(move |_: ()| async move { Ok::<_, std::io::Error>(name) });
/// let balance = Balance::new(RoundRobin, [("a", replica("a"))]);
/// let endpoints = balance.endpoints();
/// endpoints.add("b", replica("b"));
/// endpoints.drain("a").await; // what was sent to "a" has been answered
/// assert_eq!(balance.oneshot(()).await?, "b");
/// assert_eq!(endpoints.names(), ["b"]);
/// # Ok(()) }
/// ```
pub struct Endpoints<E, P: Policy> {
    set: Arc<Set<E, P>>,
}

impl<E, P: Policy> Endpoints<E, P> {
    pub(crate) fn new(set: Arc<Set<E, P>>) -> Self {
        Self { set }
    }

    /// Adds an endpoint of weight 1; returns false if one of that name is in already and stays.
    pub fn add(&self, name: impl Into<Arc<str>>, service: E) -> bool {
        self.add_weighted(name, NonZeroU16::MIN, service)
    }

    /// Adds an endpoint that should get `weight` times the traffic of one of weight 1.
    pub fn add_weighted(&self, name: impl Into<Arc<str>>, weight: NonZeroU16, service: E) -> bool {
        self.set.add(name.into(), weight, service)
    }

    /// Sets the share of the traffic that an endpoint should get, relative to the others. Returns whether there is one
    /// of that name.
    pub fn set_weight(&self, name: &str, weight: NonZeroU16) -> bool {
        self.set.set_weight(name, weight)
    }

    /// Stops sending to an endpoint, at once, and returns a future that ends when everything that was
    /// sent to it is answered and it is forgotten. Without awaiting it, the endpoint stays listed as
    /// draining. Unknown names are left alone.
    ///
    /// What has gone on in another protocol ([`Upgrades`](crate::Upgrades)) would never be answered: it is cut off
    /// after [`ServerConfig::drain_grace`](crate::ServerConfig::drain_grace), also when the endpoint is removed.
    pub fn drain(&self, name: &str) -> impl Future<Output = ()> + Send + use<E, P>
    where
        E: Send + Sync,
    {
        let draining = self.set.drain(name, "asked to drain").map(|node| (Arc::clone(&self.set), node));
        async move {
            if let Some((set, node)) = draining {
                finish(&set, &node).await;
            }
        }
    }

    /// Stops sending to an endpoint and forgets it; what was sent to it is still answered. Returns
    /// whether there was one of that name.
    pub fn remove(&self, name: &str) -> bool {
        let node = self.set.drain(name, "removed");
        if let Some(node) = &node {
            self.set.remove(node.id());
        }
        node.is_some()
    }

    /// Returns the names of the endpoints that are not leaving.
    pub fn names(&self) -> Vec<String> {
        let view = self.set.view();
        let staying = view.members.iter().filter(|member| member.condition.is_last_resort());
        staying.map(|member| member.node.name().to_owned()).collect()
    }
}

async fn finish<E, P: Policy>(set: &Set<E, P>, node: &Node<E>) {
    node.load.drained().await;
    set.remove(node.id());
}

// Not derived: the handle is one pointer, whatever the endpoints are.
impl<E, P: Policy> Clone for Endpoints<E, P> {
    fn clone(&self) -> Self {
        Self { set: Arc::clone(&self.set) }
    }
}

impl<E, P: Policy> fmt::Debug for Endpoints<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoints").field(&self.names()).finish()
    }
}
