//! What a replica is made of.

use std::fmt;
use std::sync::Arc;

use martello_model_core::Model;
use tower::Layer;
use tower::layer::util::{Identity, Stack};

use super::{Replica, listen};
use crate::server::{Drain, Server};
use crate::{Api, Error, Limits, Models, Repository, ServedModel, Slot};

/// Where a replica listens unless it is told: any address of the machine, on the port of the replaced system.
const DEFAULT_ADDRESS: &str = "0.0.0.0:8000";

/// Describes a [`Replica`].
#[derive(Debug, Clone)]
pub struct ReplicaBuilder<L = Identity> {
    name: String,
    address: String,
    models: Models,
    repository: Repository,
    limits: Limits,
    layer: L,
}

impl ReplicaBuilder {
    pub(super) fn new() -> Self {
        Self {
            name: "replica".to_owned(),
            address: DEFAULT_ADDRESS.to_owned(),
            models: Slot::empty().into(),
            repository: Repository::default(),
            limits: Limits::default(),
            layer: Identity::new(),
        }
    }
}

impl<L> ReplicaBuilder<L> {
    /// Sets the name that the log uses.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the address to listen on, `host:port` or a `SocketAddr`; port 0 lets the system choose.
    #[must_use]
    pub fn listen(mut self, address: impl fmt::Display) -> Self {
        self.address = address.to_string();
        self
    }

    /// Serves whatever model a slot holds at the moment.
    #[must_use]
    pub fn slot(self, slot: Slot) -> Self {
        self.models(slot)
    }

    /// Serves several models; the first of them answers where a path names none.
    #[must_use]
    pub fn models(mut self, models: impl Into<Models>) -> Self {
        self.models = models.into();
        self
    }

    /// Sets whether clients may load and unload models.
    #[must_use]
    pub fn repository(mut self, repository: Repository) -> Self {
        self.repository = repository;
        self
    }

    /// Serves one model, under the name `model`; [`slot`](Self::slot) serves models with names and versions.
    #[must_use]
    pub fn model(self, model: Arc<dyn Model>) -> Self {
        self.slot(Slot::holding(ServedModel::new("model", model)))
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Puts a tower layer around everything that the replica answers; a later one stands outside of those before.
    #[must_use]
    pub fn layer<M>(self, layer: M) -> ReplicaBuilder<Stack<L, M>> {
        let Self { name, address, models, repository, limits, layer: inner } = self;
        ReplicaBuilder { name, address, models, repository, limits, layer: Stack::new(inner, layer) }
    }

    /// Listens on the address; requests wait in the kernel's queue until the replica serves.
    ///
    /// # Errors
    /// [`ErrorKind::Bind`](crate::ErrorKind::Bind), with the address and what to do.
    pub async fn bind(self) -> Result<Replica<L::Service>, Error>
    where
        L: Layer<Api>,
    {
        let listener = listen::bind(&self.address).await?;
        let local_addr = listen::local_addr(&listener)?;
        let drain = Drain::new();
        let api = Api::new(self.models, self.limits.clone());
        let api = api.repository(self.repository).draining_with(drain.clone());
        let server = Server::new(listener, self.limits, drain.clone());
        Ok(Replica { name: self.name, local_addr, server, service: self.layer.layer(api), drain })
    }
}
