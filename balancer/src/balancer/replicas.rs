//! The handle that changes the replicas of a running balancer.

use std::{future::Future, net::SocketAddr, num::NonZeroU16};

use crate::{EndpointConfig, Endpoints, HttpEndpoint, policy::PolicyKind};

/// Adds, drains and removes replicas of a running [`Balancer`](crate::Balancer) by address; a cheap handle
/// that may be cloned.
///
/// Replicas that were found by a name belong to that name: one that is removed here and is still found
/// stays out until its address leaves the name and comes back.
#[derive(Debug, Clone)]
pub struct Replicas {
    endpoints: Endpoints<HttpEndpoint, PolicyKind>,
    config: EndpointConfig,
}

impl Replicas {
    pub(super) fn new(endpoints: Endpoints<HttpEndpoint, PolicyKind>, config: EndpointConfig) -> Self {
        Self { endpoints, config }
    }

    /// Adds a replica; returns false if it is in already and stays.
    pub fn add(&self, address: SocketAddr) -> bool {
        self.endpoints.add(address.to_string(), self.connect(&address))
    }

    /// Adds a replica that should get `weight` times the traffic of one of weight 1; returns false if it is in already
    /// and stays as it is.
    pub fn add_weighted(&self, address: SocketAddr, weight: NonZeroU16) -> bool {
        self.endpoints.add_weighted(address.to_string(), weight, self.connect(&address))
    }

    /// Sets the share of the traffic that a replica should get, relative to the others. Returns whether it is in.
    pub fn set_weight(&self, address: SocketAddr, weight: NonZeroU16) -> bool {
        self.endpoints.set_weight(&address.to_string(), weight)
    }

    /// Stops sending to a replica, at once, and returns a future that ends when everything that was sent to
    /// it is answered. What has gone on in another protocol is cut off after
    /// [`ServerConfig::drain_grace`](crate::ServerConfig::drain_grace), also when the replica is removed.
    pub fn drain(&self, address: SocketAddr) -> impl Future<Output = ()> + Send + use<> {
        self.endpoints.drain(&address.to_string())
    }

    /// Stops sending to a replica and forgets it; what was sent to it is still answered. Returns whether it
    /// was in.
    pub fn remove(&self, address: SocketAddr) -> bool {
        self.endpoints.remove(&address.to_string())
    }

    /// Returns the addresses of the replicas that are not leaving.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.endpoints.names().iter().filter_map(|name| name.parse().ok()).collect()
    }

    pub(super) fn connect(&self, address: &SocketAddr) -> HttpEndpoint {
        HttpEndpoint::verbatim(*address, self.config.clone())
    }

    pub(super) fn endpoints(&self) -> &Endpoints<HttpEndpoint, PolicyKind> {
        &self.endpoints
    }
}
