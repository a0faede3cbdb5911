//! `martello registry`: look into the registry, move stages and aliases, fetch, and clean up.

mod fetch;
mod gc;
mod progress;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use martello_registry_client::{
    Cache, ModelField, ModelUri, ModelVersion, Query, RegisteredModel, Registry, Stage, VersionField,
};
use serde_json::{Value, json};

use crate::connection::RegistryArgs;
use crate::output;

/// Looks into the registry, moves stages and aliases, fetches, and cleans up.
#[derive(Debug, Args)]
pub(crate) struct RegistryCommand {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Print JSON, for programs.
    #[arg(long, global = true, env = "MARTELLO_REGISTRY_JSON")]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Every registered model: versions in charge and aliases.
    List,
    /// All versions of one model, the newest first.
    Show {
        /// Name of the registered model.
        name: String,
    },
    /// Move a version to a stage; what stood there is archived.
    Promote {
        /// Name of the registered model.
        name: String,
        /// Its version.
        version: u32,
        /// Staging, Production, Archived or None.
        #[arg(long, env = "MARTELLO_PROMOTE_STAGE", default_value = "Production")]
        stage: Stage,
        /// Also let this alias point to the version.
        #[arg(long, env = "MARTELLO_PROMOTE_ALIAS")]
        alias: Option<String>,
    },
    /// Let an alias point to a version.
    Alias {
        /// Name of the registered model.
        name: String,
        /// The alias, without @.
        alias: String,
        /// The version; without it, the alias is removed.
        version: Option<u32>,
    },
    /// Copy a model's files, verified, into a folder.
    Fetch {
        /// models:/name/3, models:/name/Production, models:/name@champion.
        uri: ModelUri,
        /// Folder to write to; it must not exist.
        to: PathBuf,
    },
    /// List the artifacts of deleted and unknown runs, and what the cache holds too much; with --delete, delete them. Nothing
    /// that a version points to is touched.
    Gc(gc::Gc),
}

impl RegistryCommand {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let registry = self.registry.open().await?;
        match &self.action {
            Action::List => self.list(&registry).await?,
            Action::Show { name } => self.show(&registry, name).await?,
            Action::Promote { name, version, stage, alias } => {
                let moved = registry.promote(name, *version, *stage, alias.as_deref()).await?;
                self.say(&version_json(&moved), &format!("{name} version {version} is in {}", moved.stage))?;
            }
            Action::Alias { name, alias, version } => self.alias(&registry, name, alias, *version).await?,
            Action::Fetch { uri, to } => self.fetch(&registry, uri, to).await?,
            Action::Gc(gc) => gc.run(&registry, Cache::open(self.registry.cache_dir())?, self.json).await?,
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn list(&self, registry: &Registry) -> anyhow::Result<()> {
        let models = all_models(registry).await?;
        if self.json {
            return output::line(&json!(models.iter().map(model_json).collect::<Vec<_>>()).to_string());
        }
        if models.is_empty() {
            return output::line("no model is registered; `martello train` makes one");
        }
        let head = ["NAME", "IN CHARGE", "ALIASES", "UPDATED"].map(str::to_owned).to_vec();
        let rows = models.iter().map(|model| {
            vec![model.name.clone(), in_charge(model), aliases(model), model.last_updated_time.to_string()]
        });
        output::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
    }

    async fn show(&self, registry: &Registry, name: &str) -> anyhow::Result<()> {
        registry.models().get_model(name).await?;
        let versions = all_versions(registry, name).await?;
        if self.json {
            return output::line(&json!(versions.iter().map(version_json).collect::<Vec<_>>()).to_string());
        }
        let head = ["VERSION", "STAGE", "STATUS", "ALIASES", "CREATED", "RUN"].map(str::to_owned).to_vec();
        let rows = versions.iter().map(|version| {
            vec![
                version.version.to_string(),
                version.stage.to_string(),
                version.status.to_string(),
                version.aliases.join(", "),
                version.creation_time.to_string(),
                version.run_id.clone().unwrap_or_default(),
            ]
        });
        output::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
    }

    async fn alias(
        &self,
        registry: &Registry,
        name: &str,
        alias: &str,
        version: Option<u32>,
    ) -> anyhow::Result<()> {
        let said = json!({ "name": name, "alias": alias, "version": version });
        match version {
            Some(version) => {
                registry.models().set_alias(name, alias, version).await?;
                self.say(&said, &format!("{name}@{alias} is version {version}"))
            }
            None => {
                registry.models().delete_alias(name, alias).await?;
                self.say(&said, &format!("{name}@{alias} is removed"))
            }
        }
    }

    async fn fetch(&self, registry: &Registry, uri: &ModelUri, to: &Path) -> anyhow::Result<()> {
        let files = fetch::fetch(registry, Cache::open(self.registry.cache_dir())?, uri, to).await?;
        let said = json!({ "uri": uri.to_string(), "folder": to, "files": files });
        self.say(&said, &format!("{uri}: {} in {}", counted(files), to.display()))
    }

    fn say(&self, value: &Value, sentence: &str) -> anyhow::Result<()> {
        if self.json { output::line(&value.to_string()) } else { output::line(sentence) }
    }
}

fn counted(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

async fn all_models(registry: &Registry) -> anyhow::Result<Vec<RegisteredModel>> {
    let mut models = Vec::new();
    let mut query: Query<ModelField> = Query::new();
    loop {
        let page = registry.models().search_models(&query).await?;
        models.extend(page.items);
        match page.next {
            Some(next) => query = query.page(Some(next)),
            None => return Ok(models),
        }
    }
}

async fn all_versions(registry: &Registry, name: &str) -> anyhow::Result<Vec<ModelVersion>> {
    let mut versions = Vec::new();
    let mut query = Query::new().equals(VersionField::Name, name);
    loop {
        let page = registry.models().search_versions(&query).await?;
        versions.extend(page.items);
        match page.next {
            Some(next) => query = query.page(Some(next)),
            None => return Ok(versions),
        }
    }
}

/// `Production 3, Staging 4`.
fn in_charge(model: &RegisteredModel) -> String {
    let staged = model
        .latest_versions
        .iter()
        .filter(|version| matches!(version.stage, Stage::Production | Stage::Staging));
    staged.map(|version| format!("{} {}", version.stage, version.version)).collect::<Vec<_>>().join(", ")
}

/// `champion 3, challenger 4`.
fn aliases(model: &RegisteredModel) -> String {
    model.aliases.iter().map(|(alias, version)| format!("{alias} {version}")).collect::<Vec<_>>().join(", ")
}

fn model_json(model: &RegisteredModel) -> Value {
    json!({
        "name": model.name,
        "description": model.description,
        "aliases": model.aliases,
        "tags": model.tags,
        "latest_versions": model.latest_versions.iter().map(version_json).collect::<Vec<_>>(),
    })
}

fn version_json(version: &ModelVersion) -> Value {
    json!({
        "name": version.name,
        "version": version.version,
        "stage": version.stage.as_str(),
        "status": version.status.as_str(),
        "aliases": version.aliases,
        "source": version.source,
        "run_id": version.run_id,
        "tags": version.tags,
    })
}
