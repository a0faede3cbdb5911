//! Making registered models and versions, and finding what a lost answer spoke of.

use serde_json::json;

use super::answer::{OneModel, OneVersion};
use super::client::MlflowClient;
use super::message::pairs;
use super::page::absent;
use crate::{
    ModelRegistry, ModelVersion, NewModel, NewVersion, Query, REQUEST_ID_TAG, RegisteredModel, Result,
    VersionField,
};

impl MlflowClient {
    pub(super) async fn post_model(&self, new: &NewModel) -> Result<RegisteredModel> {
        let body = json!({"name": new.name, "description": new.description, "tags": pairs(&new.tags)});
        let doing = format!("register model {:?}", new.name);
        let made: OneModel = self.post_once(doing, "registered-models/create", &body).await?;
        made.registered_model.try_into()
    }

    /// Finds a model that looks as if this request had made it.
    pub(super) async fn find_made_model(&self, new: &NewModel) -> Result<Option<RegisteredModel>> {
        let found = absent(self.get_model(&new.name).await)?;
        Ok(found.filter(|found| {
            found.tags == new.tags
                && found.description.as_deref().unwrap_or("") == new.description.as_deref().unwrap_or("")
        }))
    }

    pub(super) async fn post_version(&self, new: &NewVersion) -> Result<ModelVersion> {
        let body = json!({
            "name": new.name,
            "source": new.source,
            "run_id": new.run_id,
            "description": new.description,
            "tags": pairs(&new.tags),
        });
        let doing = format!("register a version of model {:?}", new.name);
        let made: OneVersion = self.post_once(doing, "model-versions/create", &body).await?;
        made.model_version.try_into()
    }

    /// Finds the first version that a request made: the oldest, should two attempts both have made one after all.
    pub(super) async fn find_made_version(
        &self,
        name: &str,
        request_id: &str,
    ) -> Result<Option<ModelVersion>> {
        let query = Query::new()
            .equals(VersionField::Name, name)
            .equals(VersionField::Tag(REQUEST_ID_TAG.to_owned()), request_id);
        Ok(self.search_versions(&query).await?.items.pop())
    }
}
