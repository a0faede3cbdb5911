//! `martello up`: train, replicas and balancer in one process.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use martello_balancer::{Balancer, Probe};
use martello_registry_client::{Cache, ModelUri, Registry, WatchOptions};
use martello_serving::{ModelSource, Replica, Slot};
use martello_trainer::{ErrorKind, TrainingJob};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::connection::{ModelArgs, RegistryArgs};
use crate::output;
use crate::runtime::{Shutdown, shutdown_requested, unless_ended};

/// Everything in one process: trains the model if it is one of the built-in jobs' and the registry has none, serves it
/// from N replicas, balances over them.
///
/// Nothing else has to be installed. Ctrl-C drains and ends it.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// How many replicas.
    #[arg(long, env = "MARTELLO_REPLICAS", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=256))]
    replicas: u16,
    /// Address of the balancer.
    #[arg(long, env = "MARTELLO_BALANCE_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    listen: String,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Up {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let model = self.model.uri()?;
        let mut shutdown = shutdown_requested()?;
        let (stop, stopped) = watch::channel(());
        let mut replicas = JoinSet::new();
        let Some(registry) = unless_ended(&mut shutdown, self.registry.open()).await? else {
            return Ok(ExitCode::SUCCESS);
        };
        if train(&model, &registry, &mut shutdown).await?.is_break() {
            return Ok(ExitCode::SUCCESS);
        }
        let preparation = self.prepare(&registry, stopped, &mut replicas);
        let Some(balancer) = unless_ended(&mut shutdown, preparation).await? else {
            return Ok(ExitCode::SUCCESS);
        };
        self.greet(balancer.local_addr())?;
        balancer.serve(shutdown).await.context("the balancer failed")?;
        drop(stop);
        while let Some(ended) = replicas.join_next().await {
            ended.context("a replica panicked")??;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Starts the replicas and binds the balancer over them.
    async fn prepare(
        &self,
        registry: &Registry,
        stopped: watch::Receiver<()>,
        replicas: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<Balancer> {
        let mut balancer = Balancer::builder().listen(&self.listen).probe(Probe::http("/health")?);
        for number in 1..=self.replicas {
            balancer = balancer.upstream(self.replica(number, registry, stopped.clone(), replicas).await?);
        }
        balancer.bind().await.context("cannot balance")
    }

    /// Starts a replica on a port of its own; it serves until `stopped` closes.
    async fn replica(
        &self,
        number: u16,
        registry: &Registry,
        mut stopped: watch::Receiver<()>,
        replicas: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<SocketAddr> {
        let slot = Slot::empty();
        let name = format!("replica-{number}");
        let replica = Replica::builder().name(name).listen("127.0.0.1:0").slot(slot.clone()).bind().await?;
        let address = replica.local_addr();
        let source =
            ModelSource::new(registry.clone(), Cache::open(self.registry.cache_dir())?, self.model.uri()?);
        source.load_into(&slot).await?;
        replicas.spawn(async move {
            let _following = source.follow(slot, WatchOptions::default());
            // An error says that the sender is gone, which is the signal.
            replica.serve(async move { while stopped.changed().await.is_ok() {} }).await?;
            Ok(())
        });
        Ok(address)
    }

    fn greet(&self, address: SocketAddr) -> anyhow::Result<()> {
        output::line(&format!(
            "{} replicas behind http://{address} — try:\n  \
             curl -s http://{address}/predict -H 'content-type: application/json' -d '{{\"feature1\":5.3,\"feature2\":2.1,\"feature3\":0.8}}'\n  \
             curl -s http://{address}/health\n  \
             curl -s http://{address}/nginx_status\n\
             Ctrl-C ends it.",
            self.replicas
        ))
    }
}

/// Trains the model if it is a built-in job's; breaks if that was stopped.
async fn train(
    model: &ModelUri,
    registry: &Registry,
    shutdown: &mut Shutdown,
) -> anyhow::Result<ControlFlow<()>> {
    for job in [TrainingJob::linear_regression(), TrainingJob::penguin_species()] {
        if model.name().is_none_or(|name| name.as_str() != job.model_name()) {
            continue;
        }
        match job.run_until(registry, &mut *shutdown).await {
            Ok(outcome) => output::line(&outcome.to_string())?,
            Err(error) if error.kind() == ErrorKind::Stopped => return Ok(ControlFlow::Break(())),
            Err(error) => return Err(error).context("training failed"),
        }
    }
    Ok(ControlFlow::Continue(()))
}
