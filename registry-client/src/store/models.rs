//! Registered models and versions.

use std::fmt;

use super::{BoxFuture, Claim};
use crate::{
    ExistingVersions, ModelField, ModelVersion, NewModel, NewVersion, Page, Promotion, Query,
    RegisteredModel, Result, Stage, VersionField,
};

/// Stores which models there are, their versions, and which version is in charge.
///
/// Every call about a model, version or alias that does not exist fails with `NotFound`, unless it says otherwise.
pub trait ModelRegistry: Send + Sync + fmt::Debug {
    /// Registers a model name.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` when the name is taken, `InvalidArgument` when it is not a [`ModelName`](crate::ModelName).
    fn create_model(&self, model: NewModel) -> BoxFuture<'_, Result<RegisteredModel>>;

    /// Returns a model with its aliases, tags and the newest version of each stage.
    fn get_model<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<RegisteredModel>>;

    /// Returns models that match, by name.
    fn search_models<'a>(
        &'a self,
        query: &'a Query<ModelField>,
    ) -> BoxFuture<'a, Result<Page<RegisteredModel>>>;

    /// Changes the description that people read.
    fn describe_model<'a>(&'a self, name: &'a str, description: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Deletes a model with all its versions; artifacts stay.
    fn delete_model<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Sets a tag of a model; `None` removes it.
    fn tag_model<'a>(
        &'a self,
        name: &'a str,
        key: &'a str,
        value: Option<&'a str>,
    ) -> BoxFuture<'a, Result<()>>;

    /// Registers the next version of a model.
    ///
    /// With a request id, a version that was registered with the same one is returned instead: the call can be repeated.
    fn create_version(&self, version: NewVersion) -> BoxFuture<'_, Result<ModelVersion>>;

    /// Returns a version.
    fn get_version<'a>(&'a self, name: &'a str, version: u32) -> BoxFuture<'a, Result<ModelVersion>>;

    /// Returns the version that an alias points to.
    fn get_version_by_alias<'a>(
        &'a self,
        name: &'a str,
        alias: &'a str,
    ) -> BoxFuture<'a, Result<ModelVersion>>;

    /// Returns versions that match, by name, the newest of each first.
    fn search_versions<'a>(
        &'a self,
        query: &'a Query<VersionField>,
    ) -> BoxFuture<'a, Result<Page<ModelVersion>>>;

    /// Returns the newest version of each of these stages that has one; of every stage when none is named.
    fn latest_versions<'a>(
        &'a self,
        name: &'a str,
        stages: &'a [Stage],
    ) -> BoxFuture<'a, Result<Vec<ModelVersion>>>;

    /// Changes the description that people read.
    fn describe_version<'a>(
        &'a self,
        name: &'a str,
        version: u32,
        description: &'a str,
    ) -> BoxFuture<'a, Result<()>>;

    /// Deletes a version and the aliases that point to it; artifacts stay.
    fn delete_version<'a>(&'a self, name: &'a str, version: u32) -> BoxFuture<'a, Result<()>>;

    /// Sets a tag of a version; `None` removes it.
    fn tag_version<'a>(
        &'a self,
        name: &'a str,
        version: u32,
        key: &'a str,
        value: Option<&'a str>,
    ) -> BoxFuture<'a, Result<()>>;

    /// Moves a version to a stage.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when versions are to be archived from [`Stage::None`] or [`Stage::Archived`], which MLflow refuses as well.
    fn transition_stage<'a>(
        &'a self,
        name: &'a str,
        version: u32,
        stage: Stage,
        existing: ExistingVersions,
    ) -> BoxFuture<'a, Result<ModelVersion>>;

    /// Lets an alias point to a version, and no longer to another one.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when it is not an [`AliasName`](crate::AliasName): `latest` and `v1` are reserved.
    fn set_alias<'a>(&'a self, name: &'a str, alias: &'a str, version: u32) -> BoxFuture<'a, Result<()>>;

    /// Removes an alias; nothing happens when there is none.
    fn delete_alias<'a>(&'a self, name: &'a str, alias: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Puts a version in charge: archives what stands in the stage, moves the version there, points the alias to it. A backend
    /// that has transactions does it in one; otherwise the stage comes first.
    fn promote(&self, promotion: Promotion) -> BoxFuture<'_, Result<ModelVersion>>;

    /// Takes the right to look at a model and then decide about it, waiting for whoever has it; it ends when the claim is dropped or the
    /// process dies. It hinders nobody who does not ask for it.
    ///
    /// A backend that cannot exclude others hands out an empty claim, which [is not exclusive](Claim::is_exclusive).
    ///
    /// # Errors
    ///
    /// `Conflict` when somebody else keeps it for too long.
    fn claim<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Claim>> {
        let _ = name;
        Box::pin(async { Ok(Claim::default()) })
    }

    /// Returns the URI of the version's model folder; it may itself be a `models:/` or `runs:/` URI.
    fn download_location<'a>(&'a self, name: &'a str, version: u32) -> BoxFuture<'a, Result<String>>;
}
