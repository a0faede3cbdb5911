//! `martello serve`: one replica.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use martello_registry_client::{Cache, WatchOptions};
use martello_serving::{ModelSource, Replica, Slot};

use crate::connection::{ModelArgs, RegistryArgs};
use crate::output;
use crate::runtime::shutdown_requested;

/// Serves a registered model from one replica.
///
/// The model is loaded before the first answer and followed from then on: when its stage or alias moves, the next version
/// is loaded, tried and swapped in without a failed request. Until a model is loaded, /health and /predict answer 503.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on.
    #[arg(long, env = "MARTELLO_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8000")]
    listen: String,
    /// Name of this replica in logs.
    #[arg(long, env = "MARTELLO_REPLICA_NAME", value_name = "NAME", default_value = "replica")]
    name: String,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Serve {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let uri = self.model.uri()?;
        // Before the model is fetched: process 1 of a container loses a signal that nobody listens for yet.
        let mut shutdown = Box::pin(shutdown_requested()?);
        let slot = Slot::empty();
        let replica =
            Replica::builder().name(&self.name).listen(&self.listen).slot(slot.clone()).bind().await?;
        let cache = Cache::open(self.registry.cache_dir()).context("cannot open the model cache")?;
        let source = ModelSource::new(self.registry.open().await?, cache, uri.clone());
        let loaded = tokio::select! {
            loaded = source.load_into(&slot) => loaded,
            () = &mut shutdown => return Ok(ExitCode::SUCCESS),
        };
        output::line(&format!("serving {uri} on http://{}", replica.local_addr()))?;
        if let Err(error) = loaded {
            eprintln!(
                "warning: no model yet, answering 503 until there is one: {:#}",
                anyhow::Error::new(error)
            );
        }
        let _following = source.follow(slot, WatchOptions::default());
        replica.serve(shutdown).await?;
        Ok(ExitCode::SUCCESS)
    }
}
