//! [`ModelRegistry`] on the embedded database.

use super::database::Database;
use super::{models, stages, versions};
use crate::{
    BoxFuture, Claim, ExistingVersions, LocalArtifacts, ModelField, ModelRegistry, ModelVersion, NewModel,
    NewVersion, Page, Promotion, Query, RegisteredModel, Result, Stage, VersionField,
};

#[derive(Debug)]
pub(super) struct EmbeddedModels {
    database: Database,
    artifacts: LocalArtifacts,
}

impl EmbeddedModels {
    /// Returns the models of this database; the artifacts beside it have the locks.
    pub(super) fn new(database: Database, artifacts: LocalArtifacts) -> Self {
        Self { database, artifacts }
    }
}

impl ModelRegistry for EmbeddedModels {
    fn create_model(&self, model: NewModel) -> BoxFuture<'_, Result<RegisteredModel>> {
        Box::pin(self.database.write(move |transaction| models::create(transaction, &model)))
    }

    fn get_model<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<RegisteredModel>> {
        let name = name.to_owned();
        Box::pin(self.database.read(move |connection| models::by_name(connection, &name)))
    }

    fn search_models<'a>(
        &'a self,
        query: &'a Query<ModelField>,
    ) -> BoxFuture<'a, Result<Page<RegisteredModel>>> {
        let query = query.clone();
        Box::pin(self.database.read(move |connection| models::search(connection, &query)))
    }

    fn describe_model<'a>(&'a self, name: &'a str, description: &'a str) -> BoxFuture<'a, Result<()>> {
        let (name, description) = (name.to_owned(), description.to_owned());
        Box::pin(self.database.write(move |transaction| models::describe(transaction, &name, &description)))
    }

    fn delete_model<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<()>> {
        let name = name.to_owned();
        Box::pin(self.database.write(move |transaction| models::delete(transaction, &name)))
    }

    fn tag_model<'a>(
        &'a self,
        name: &'a str,
        key: &'a str,
        value: Option<&'a str>,
    ) -> BoxFuture<'a, Result<()>> {
        let (name, key, value) = (name.to_owned(), key.to_owned(), value.map(str::to_owned));
        Box::pin(
            self.database.write(move |transaction| models::tag(transaction, &name, &key, value.as_deref())),
        )
    }

    fn create_version(&self, version: NewVersion) -> BoxFuture<'_, Result<ModelVersion>> {
        Box::pin(self.database.write(move |transaction| versions::create(transaction, &version)))
    }

    fn get_version<'a>(&'a self, name: &'a str, version: u32) -> BoxFuture<'a, Result<ModelVersion>> {
        let name = name.to_owned();
        Box::pin(self.database.read(move |connection| versions::by_number(connection, &name, version)))
    }

    fn get_version_by_alias<'a>(
        &'a self,
        name: &'a str,
        alias: &'a str,
    ) -> BoxFuture<'a, Result<ModelVersion>> {
        let (name, alias) = (name.to_owned(), alias.to_owned());
        Box::pin(self.database.read(move |connection| versions::by_alias(connection, &name, &alias)))
    }

    fn search_versions<'a>(
        &'a self,
        query: &'a Query<VersionField>,
    ) -> BoxFuture<'a, Result<Page<ModelVersion>>> {
        let query = query.clone();
        Box::pin(self.database.read(move |connection| versions::search(connection, &query)))
    }

    fn latest_versions<'a>(
        &'a self,
        name: &'a str,
        stages: &'a [Stage],
    ) -> BoxFuture<'a, Result<Vec<ModelVersion>>> {
        let (name, stages) = (name.to_owned(), stages.to_owned());
        Box::pin(self.database.read(move |connection| {
            models::exists(connection, &name)?;
            versions::latest(connection, &name, &stages)
        }))
    }

    fn describe_version<'a>(
        &'a self,
        name: &'a str,
        version: u32,
        description: &'a str,
    ) -> BoxFuture<'a, Result<()>> {
        let (name, description) = (name.to_owned(), description.to_owned());
        Box::pin(
            self.database
                .write(move |transaction| versions::describe(transaction, &name, version, &description)),
        )
    }

    fn delete_version<'a>(&'a self, name: &'a str, version: u32) -> BoxFuture<'a, Result<()>> {
        let name = name.to_owned();
        Box::pin(self.database.write(move |transaction| versions::delete(transaction, &name, version)))
    }

    fn tag_version<'a>(
        &'a self,
        name: &'a str,
        version: u32,
        key: &'a str,
        value: Option<&'a str>,
    ) -> BoxFuture<'a, Result<()>> {
        let (name, key, value) = (name.to_owned(), key.to_owned(), value.map(str::to_owned));
        Box::pin(
            self.database
                .write(move |transaction| versions::tag(transaction, &name, version, &key, value.as_deref())),
        )
    }

    fn transition_stage<'a>(
        &'a self,
        name: &'a str,
        version: u32,
        stage: Stage,
        existing: ExistingVersions,
    ) -> BoxFuture<'a, Result<ModelVersion>> {
        let name = name.to_owned();
        Box::pin(
            self.database
                .write(move |transaction| stages::transition(transaction, &name, version, stage, existing)),
        )
    }

    fn set_alias<'a>(&'a self, name: &'a str, alias: &'a str, version: u32) -> BoxFuture<'a, Result<()>> {
        let (name, alias) = (name.to_owned(), alias.to_owned());
        Box::pin(
            self.database.write(move |transaction| stages::set_alias(transaction, &name, &alias, version)),
        )
    }

    fn delete_alias<'a>(&'a self, name: &'a str, alias: &'a str) -> BoxFuture<'a, Result<()>> {
        let (name, alias) = (name.to_owned(), alias.to_owned());
        Box::pin(self.database.write(move |transaction| stages::delete_alias(transaction, &name, &alias)))
    }

    fn promote(&self, promotion: Promotion) -> BoxFuture<'_, Result<ModelVersion>> {
        Box::pin(self.database.write(move |transaction| stages::promote(transaction, &promotion)))
    }

    fn claim<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Claim>> {
        Box::pin(self.artifacts.claim_model(name))
    }

    fn download_location<'a>(&'a self, name: &'a str, version: u32) -> BoxFuture<'a, Result<String>> {
        let name = name.to_owned();
        Box::pin(
            self.database.read(move |connection| versions::download_location(connection, &name, version)),
        )
    }
}
