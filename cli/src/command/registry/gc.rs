//! `martello registry gc`: what nothing needs any more.

use std::time::Duration;

use clap::Args;
use martello_registry_client::{Cache, CachedModel, Garbage, GarbageReason, Registry, TrackingUri};
use serde_json::{Value, json};

use crate::output;

/// An hour, as the arguments count.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// What to look for, and whether to delete it.
#[derive(Debug, Args)]
pub(super) struct Gc {
    /// Delete what is listed; without this, nothing is changed.
    // No variable: nobody should delete by what an environment happens to say.
    #[arg(long)]
    delete: bool,
    /// Keep what was deleted or changed more recently than so many hours.
    #[arg(long, env = "MARTELLO_GC_OLDER_THAN", value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..))]
    older_than: u32,
    /// How much the model cache may hold, in bytes; the models that were not used for the longest time go first.
    #[arg(long, env = "MARTELLO_GC_CACHE_BYTES", value_name = "BYTES", default_value_t = Cache::DEFAULT_MAX_BYTES)]
    cache_bytes: u64,
}

/// What was found, or deleted.
struct Findings {
    artifacts: Vec<Garbage>,
    cached: Vec<CachedModel>,
}

impl Gc {
    pub(super) async fn run(&self, registry: &Registry, cache: Cache, json: bool) -> anyhow::Result<()> {
        let cache = cache.with_max_bytes(self.cache_bytes);
        let findings = if self.delete {
            self.delete(registry, &cache).await?
        } else {
            Findings { artifacts: self.artifacts(registry).await?, cached: cache.excess().await? }
        };
        if json { output::line(&findings.json(self.delete).to_string()) } else { findings.print(self.delete) }
    }

    /// An MLflow server keeps its artifacts itself: only the cache is ours.
    async fn artifacts(&self, registry: &Registry) -> anyhow::Result<Vec<Garbage>> {
        if !matches!(registry.uri(), TrackingUri::Sqlite(_)) {
            eprintln!("only the cache is looked at: run `mlflow gc` where the server is, for its artifacts");
            return Ok(Vec::new());
        }
        Ok(registry.sweeper()?.find(HOUR * self.older_than).await?)
    }

    async fn delete(&self, registry: &Registry, cache: &Cache) -> anyhow::Result<Findings> {
        let mut deleted = Vec::new();
        for garbage in self.artifacts(registry).await? {
            if registry.sweeper()?.delete(&garbage).await? {
                deleted.push(garbage);
            }
        }
        Ok(Findings { artifacts: deleted, cached: cache.trim().await? })
    }
}

impl Findings {
    fn bytes(&self) -> u64 {
        let (artifacts, cached) =
            (self.artifacts.iter().map(|it| it.bytes), self.cached.iter().map(|it| it.bytes));
        artifacts.chain(cached).fold(0, u64::saturating_add)
    }

    fn json(&self, deleted: bool) -> Value {
        let artifacts = self.artifacts.iter().map(
            |it| json!({ "reason": reason(it.reason), "id": it.id, "folder": it.folder, "bytes": it.bytes }),
        );
        let cached =
            self.cached.iter().map(|it| json!({ "digest": it.digest.to_string(), "bytes": it.bytes }));
        json!({
            "deleted": deleted,
            "artifacts": artifacts.collect::<Vec<_>>(),
            "cache": cached.collect::<Vec<_>>(),
        })
    }

    fn print(&self, deleted: bool) -> anyhow::Result<()> {
        if self.artifacts.is_empty() && self.cached.is_empty() {
            return output::line("there is nothing to delete");
        }
        let head = ["WHY", "WHAT", "BYTES"].map(str::to_owned).to_vec();
        let artifacts = self.artifacts.iter().map(|it| {
            vec![reason(it.reason).to_owned(), it.folder.display().to_string(), it.bytes.to_string()]
        });
        let cached = self
            .cached
            .iter()
            .map(|it| vec!["cache is full".to_owned(), it.digest.to_string(), it.bytes.to_string()]);
        output::table(&std::iter::once(head).chain(artifacts).chain(cached).collect::<Vec<_>>())?;
        let (things, bytes) = (self.artifacts.len() + self.cached.len(), self.bytes());
        output::line(&if deleted {
            format!("deleted: {things} folders, {bytes} bytes")
        } else {
            format!("{things} folders, {bytes} bytes; nothing is deleted without --delete")
        })
    }
}

fn reason(reason: GarbageReason) -> &'static str {
    match reason {
        GarbageReason::DeletedRun => "deleted run",
        GarbageReason::DeletedModel => "deleted model",
        GarbageReason::UnknownRun => "unknown run",
        GarbageReason::UnknownModel => "unknown model",
        _ => "not needed",
    }
}
