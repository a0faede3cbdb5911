//! `martello serve`: one replica.

mod limits;
mod observe;

use std::future::Future;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use martello_registry_client::{Cache, ModelUri, Registry, WatchOptions};
use martello_serving::bytes::Bytes;
use martello_serving::http::{Request, Response};
use martello_serving::layers::decompress;
use martello_serving::layers::edge::EdgeLayer;
use martello_serving::server::{Body, Incoming};
use martello_serving::{
    BoxError, Follow, ListedModel, ModelSource, Models, Replica, Repository, Slot, recall_into,
};

use tower::Service;

use self::limits::LimitArgs;
use self::observe::ObserveArgs;
use crate::connection::{NamedModelArgs, RegistryArgs};
use crate::output;
use crate::runtime::shutdown_requested;
use crate::telemetry::exports_spans;

/// How long to wait for the registry before the cache is asked. A registry at hand brings a model that is cached in a few
/// milliseconds; another one may keep us waiting for minutes.
const REGISTRY_AT_HAND: Duration = Duration::from_millis(100);

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
    #[command(flatten)]
    observe: ObserveArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

impl Serve {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let uris = self.uris()?;
        // Before the model is fetched: process 1 of a container loses a signal that nobody listens for yet.
        let shutdown = shutdown_requested()?;
        let slots: Vec<Slot> = uris.iter().map(|_| Slot::empty()).collect();
        let repository = if self.model_control { Repository::Controlled } else { Repository::ReadOnly };
        let builder = Replica::builder()
            .name(&self.name)
            .listen(&self.listen)
            .repository(repository)
            .models(listed(&uris, &slots)?)
            .limits(self.limits.limits())
            .layer(decompress::layer())
            .layer(self.observe.load_report())
            .layer(self.observe.access_log());
        if self.observe.request_ids || exports_spans() {
            self.serve(builder.layer(EdgeLayer::new()).bind().await?, &uris, &slots, shutdown).await
        } else {
            self.serve(builder.bind().await?, &uris, &slots, shutdown).await
        }
    }

    async fn serve<S, B>(
        &self,
        replica: Replica<S>,
        uris: &[ModelUri],
        slots: &[Slot],
        shutdown: impl Future<Output = ()>,
    ) -> anyhow::Result<ExitCode>
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let address = replica.local_addr();
        // Beside each other, so that /health answers 503 while a model is still on its way.
        tokio::select! {
            served = replica.serve(shutdown) => served?,
            failed = self.keep_models(uris, slots, address) => failed?,
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
        let (brought, recalled) = tokio::join!(
            self.bring_models(&cache, uris, slots, address),
            self.recall_models(&cache, uris, slots),
        );
        recalled?;
        // Following goes on for as long as the handles live.
        let _following = brought?;
        std::future::pending().await
    }

    /// Asks the cache for what the registry does not bring at once.
    async fn recall_models(&self, cache: &Cache, uris: &[ModelUri], slots: &[Slot]) -> anyhow::Result<()> {
        let registry = self.registry.uri()?;
        tokio::time::sleep(REGISTRY_AT_HAND).await;
        for (uri, slot) in uris.iter().zip(slots).filter(|(_, slot)| slot.is_empty()) {
            match recall_into(cache, &registry, uri, slot).await {
                Ok(()) => output::note(format!(
                    "warning: the registry has not answered yet: {uri} is served out of the cache"
                )),
                Err(error) => tracing::debug!(%uri, %error, "not in the cache"),
            }
        }
        Ok(())
    }

    async fn bring_models(
        &self,
        cache: &Cache,
        uris: &[ModelUri],
        slots: &[Slot],
        address: SocketAddr,
    ) -> anyhow::Result<Vec<Follow>> {
        let registry = self.open_registry().await?;
        let mut following = Vec::new();
        for (uri, slot) in uris.iter().zip(slots) {
            let source = ModelSource::new(registry.clone(), cache.clone(), uri.clone());
            let loaded = source.load_into(slot).await;
            output::line(&format!("serving {uri} on http://{address}"))?;
            if let Err(error) = loaded {
                let until = match slot.load().and_then(|served| served.version()) {
                    Some(version) => format!("version {version} of it is served meanwhile"),
                    None => "answering 503 until there is a model".to_owned(),
                };
                output::note(format!("warning: {until}: {:#}", anyhow::Error::new(error)));
            }
            following.push(source.follow(slot.clone(), WatchOptions::default()));
        }
        Ok(following)
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
