//! `martello serve`: one replica.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use martello_registry_client::{Cache, ModelUri, Registry, WatchOptions};
use martello_serving::{ListedModel, ModelSource, Models, Replica, Repository, Slot};

use crate::connection::{NamedModelArgs, RegistryArgs};
use crate::output;
use crate::runtime::shutdown_requested;

/// How long to wait before a registry is opened once more: as long as a look at what a stage points to.
const OPEN_AGAIN: Duration = Duration::from_secs(5);

/// Serves registered models from one replica.
///
/// The models are loaded and followed from then on: when a stage or alias moves, the next version
/// is loaded, tried and swapped in without a failed request. Until every model is loaded, /health answers 503.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on.
    #[arg(long, env = "MARTELLO_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8000")]
    listen: String,
    /// Name of this replica in logs.
    #[arg(long, env = "MARTELLO_REPLICA_NAME", value_name = "NAME", default_value = "replica")]
    name: String,
    /// A model: models:/name/3, models:/name/Production, models:/name@champion. Given again, a further model; the first
    /// one answers /predict and /invocations. Without it, the registered name and the stage or version below.
    #[arg(long = "model", env = "MARTELLO_MODEL", value_name = "URI", value_delimiter = ',')]
    models: Vec<ModelUri>,
    #[command(flatten)]
    named: NamedModelArgs,
    /// Let clients take models out of service and put them back, by /v2/repository.
    #[arg(long, env = "MARTELLO_MODEL_CONTROL")]
    model_control: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Serve {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let uris = self.uris()?;
        // Before the model is fetched: process 1 of a container loses a signal that nobody listens for yet.
        let shutdown = shutdown_requested()?;
        let slots: Vec<Slot> = uris.iter().map(|_| Slot::empty()).collect();
        let repository = if self.model_control { Repository::Controlled } else { Repository::ReadOnly };
        let builder = Replica::builder().name(&self.name).listen(&self.listen).repository(repository);
        let replica = builder.models(listed(&uris, &slots)?).bind().await?;
        let address = replica.local_addr();
        // Beside each other, so that /health answers 503 while a model is still on its way.
        tokio::select! {
            served = replica.serve(shutdown) => served?,
            failed = self.keep_models(&uris, &slots, address) => failed?,
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Brings the models and follows them; ends only if there can be none.
    async fn keep_models(
        &self,
        uris: &[ModelUri],
        slots: &[Slot],
        address: SocketAddr,
    ) -> anyhow::Result<()> {
        let cache = Cache::open(self.registry.cache_dir()).context("cannot open the model cache")?;
        let registry = self.open_registry().await?;
        let mut following = Vec::new();
        for (uri, slot) in uris.iter().zip(slots) {
            let source = ModelSource::new(registry.clone(), cache.clone(), uri.clone());
            let loaded = source.load_into(slot).await;
            output::line(&format!("serving {uri} on http://{address}"))?;
            if let Err(error) = loaded {
                let reason = anyhow::Error::new(error);
                output::note(format!("warning: no model yet, answering 503 until there is one: {reason:#}"));
            }
            following.push(source.follow(slot.clone(), WatchOptions::default()));
        }
        std::future::pending().await
    }

    /// Opens the registry, again and again while it is locked or out of reach.
    async fn open_registry(&self) -> anyhow::Result<Registry> {
        loop {
            let error = match self.registry.open().await {
                Ok(registry) => return Ok(registry),
                Err(error) => error,
            };
            match error.downcast_ref::<martello_registry_client::Error>() {
                Some(cause) if cause.is_retryable() => {
                    output::note(format!(
                        "warning: answering 503 until the registry can be opened: {error:#}"
                    ));
                }
                _ => return Err(error),
            }
            tokio::time::sleep(OPEN_AGAIN).await;
        }
    }

    fn uris(&self) -> anyhow::Result<Vec<ModelUri>> {
        if !self.models.is_empty() {
            return Ok(self.models.clone());
        }
        Ok(vec![self.named.uri()?])
    }
}

fn listed(uris: &[ModelUri], slots: &[Slot]) -> anyhow::Result<Models> {
    let mut listed = uris.iter().zip(slots).map(|(uri, slot)| ListedModel::at(uri, slot.clone()));
    let first = Models::new(listed.next().context("there is no model to serve")?);
    Ok(listed.fold(first, Models::and))
}
