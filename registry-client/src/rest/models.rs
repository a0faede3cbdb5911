//! Registered models, versions, stages and aliases.

use http::Method;
use serde_json::json;

use super::answer::{DownloadUri, ManyModels, ManyVersions, OneModel, OneVersion, versions};
use super::change::gone;
use super::client::{MlflowClient, api};
use super::create::exactly_once;
use super::filter::filter;
use super::page::{absent, next};
use crate::embedded::validate;
use crate::http::Target;
use crate::{
    AliasName, BoxFuture, Error, ExistingVersions, ModelField, ModelName, ModelRegistry, ModelVersion,
    NewModel, NewVersion, Page, PageToken, Promotion, Query, REQUEST_ID_TAG, RegisteredModel, Result, Stage,
    VersionField,
};

/// The server's own caps on a page.
const MAX_MODELS_PAGE: u32 = 1_000;
const MAX_VERSIONS_PAGE: u32 = 200_000;

impl ModelRegistry for MlflowClient {
    fn create_model(&self, new: NewModel) -> BoxFuture<'_, Result<RegisteredModel>> {
        Box::pin(async move {
            new.name.parse::<ModelName>()?;
            validate::tags(&new.tags)?;
            validate::description(new.description.as_deref())?;
            exactly_once(|| self.post_model(&new), || self.find_made_model(&new)).await
        })
    }

    fn get_model<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<RegisteredModel>> {
        Box::pin(async move {
            let target = api("registered-models/get").query("name", name);
            let answer: OneModel = self.get(format!("get model {name:?}"), target).await?;
            answer.registered_model.try_into()
        })
    }

    fn search_models<'a>(
        &'a self,
        query: &'a Query<ModelField>,
    ) -> BoxFuture<'a, Result<Page<RegisteredModel>>> {
        Box::pin(async move {
            let target =
                searched("registered-models/search", query, MAX_MODELS_PAGE, &filter(&query.conditions)?)
                    .query("order_by", "name ASC");
            let answer: ManyModels = self.get("search models", target).await?;
            let items: Result<Vec<_>> =
                answer.registered_models.into_iter().map(RegisteredModel::try_from).collect();
            Ok(Page { items: items?, next: next(answer.next_page_token) })
        })
    }

    fn describe_model<'a>(&'a self, name: &'a str, description: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            validate::description(Some(description))?;
            let body = json!({"name": name, "description": description});
            self.change(format!("describe model {name:?}"), Method::PATCH, "registered-models/update", body)
                .await
        })
    }

    fn delete_model<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let doing = format!("delete model {name:?}");
            let delete =
                || self.change_once(doing.clone(), "registered-models/delete", json!({"name": name}));
            exactly_once(delete, || async { Ok(gone(&absent(self.get_model(name).await)?)) }).await
        })
    }

    fn tag_model<'a>(
        &'a self,
        name: &'a str,
        key: &'a str,
        value: Option<&'a str>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.tag("registered-models", json!({"name": name}), key, value).await })
    }

    fn create_version(&self, mut new: NewVersion) -> BoxFuture<'_, Result<ModelVersion>> {
        Box::pin(async move {
            new.name.parse::<ModelName>()?;
            validate::tags(&new.tags)?;
            validate::description(new.description.as_deref())?;
            let Some(request_id) = new.request_id.take() else { return self.post_version(&new).await };
            if !new.is_new
                && let Some(made) = self.find_made_version(&new.name, &request_id).await?
            {
                return Ok(made);
            }
            new.tags.insert(REQUEST_ID_TAG.to_owned(), request_id.clone());
            exactly_once(|| self.post_version(&new), || self.find_made_version(&new.name, &request_id)).await
        })
    }

    fn get_version<'a>(&'a self, name: &'a str, version: u32) -> BoxFuture<'a, Result<ModelVersion>> {
        Box::pin(async move {
            let target = api("model-versions/get").query("name", name).query("version", &version.to_string());
            let answer: OneVersion =
                self.get(format!("get version {version} of model {name:?}"), target).await?;
            answer.model_version.try_into()
        })
    }

    fn get_version_by_alias<'a>(
        &'a self,
        name: &'a str,
        alias: &'a str,
    ) -> BoxFuture<'a, Result<ModelVersion>> {
        Box::pin(async move {
            let target = api("registered-models/alias").query("name", name).query("alias", alias);
            let answer: OneVersion =
                self.get(format!("get alias {alias:?} of model {name:?}"), target).await?;
            answer.model_version.try_into()
        })
    }

    fn search_versions<'a>(
        &'a self,
        query: &'a Query<VersionField>,
    ) -> BoxFuture<'a, Result<Page<ModelVersion>>> {
        Box::pin(async move {
            let target =
                searched("model-versions/search", query, MAX_VERSIONS_PAGE, &filter(&query.conditions)?)
                    .query("order_by", "name ASC")
                    .query("order_by", "version_number DESC");
            let answer: ManyVersions = self.get("search model versions", target).await?;
            let next = next(answer.next_page_token.clone());
            Ok(Page { items: versions(answer)?, next })
        })
    }

    fn latest_versions<'a>(
        &'a self,
        name: &'a str,
        stages: &'a [Stage],
    ) -> BoxFuture<'a, Result<Vec<ModelVersion>>> {
        Box::pin(async move {
            let stages: Vec<&str> = stages.iter().map(|stage| stage.as_str()).collect();
            let body = json!({"name": name, "stages": stages});
            let doing = format!("get latest versions of model {name:?}");
            let mut found =
                versions(self.post(doing, "registered-models/get-latest-versions", &body).await?)?;
            found.sort_by_key(|version| version.stage);
            Ok(found)
        })
    }

    fn describe_version<'a>(
        &'a self,
        name: &'a str,
        version: u32,
        description: &'a str,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            validate::description(Some(description))?;
            let body = json!({"name": name, "version": version.to_string(), "description": description});
            let doing = format!("describe version {version} of model {name:?}");
            self.change(doing, Method::PATCH, "model-versions/update", body).await
        })
    }

    fn delete_version<'a>(&'a self, name: &'a str, version: u32) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let doing = format!("delete version {version} of model {name:?}");
            let body = json!({"name": name, "version": version.to_string()});
            let delete = || self.change_once(doing.clone(), "model-versions/delete", body.clone());
            exactly_once(delete, || async { Ok(gone(&absent(self.get_version(name, version).await)?)) }).await
        })
    }

    fn tag_version<'a>(
        &'a self,
        name: &'a str,
        version: u32,
        key: &'a str,
        value: Option<&'a str>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let of = json!({"name": name, "version": version.to_string()});
            self.tag("model-versions", of, key, value).await
        })
    }

    fn transition_stage<'a>(
        &'a self,
        name: &'a str,
        version: u32,
        stage: Stage,
        existing: ExistingVersions,
    ) -> BoxFuture<'a, Result<ModelVersion>> {
        Box::pin(async move {
            let archives = existing == ExistingVersions::Archive;
            if archives && matches!(stage, Stage::None | Stage::Archived) {
                return Err(Error::invalid(format!("versions cannot be archived from the stage {stage}")));
            }
            let body = json!({
                "name": name,
                "version": version.to_string(),
                "stage": stage.as_str(),
                "archive_existing_versions": archives,
            });
            let doing = format!("move version {version} of model {name:?} to {stage}");
            let answer: OneVersion = self.post(doing, "model-versions/transition-stage", &body).await?;
            answer.model_version.try_into()
        })
    }

    fn set_alias<'a>(&'a self, name: &'a str, alias: &'a str, version: u32) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            alias.parse::<AliasName>()?;
            let body = json!({"name": name, "alias": alias, "version": version.to_string()});
            let doing = format!("let alias {alias:?} of model {name:?} point to version {version}");
            self.change(doing, Method::POST, "registered-models/alias", body).await
        })
    }

    fn delete_alias<'a>(&'a self, name: &'a str, alias: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let body = json!({"name": name, "alias": alias});
            let doing = format!("delete alias {alias:?} of model {name:?}");
            self.change(doing, Method::DELETE, "registered-models/alias", body).await
        })
    }

    fn promote(&self, promotion: Promotion) -> BoxFuture<'_, Result<ModelVersion>> {
        Box::pin(async move {
            let Promotion { name, version, stage, alias } = promotion;
            if let Some(alias) = &alias {
                alias.parse::<AliasName>()?;
            }
            let existing = match stage {
                Stage::None | Stage::Archived => ExistingVersions::Keep,
                Stage::Staging | Stage::Production => ExistingVersions::Archive,
            };
            self.transition_stage(&name, version, stage, existing).await?;
            if existing == ExistingVersions::Archive {
                self.warn_of_company(&name, version, stage).await;
            }
            if let Some(alias) = &alias {
                self.set_alias(&name, alias, version).await?;
            }
            self.get_version(&name, version).await
        })
    }

    fn download_location<'a>(&'a self, name: &'a str, version: u32) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            let target = api("model-versions/get-download-uri")
                .query("name", name)
                .query("version", &version.to_string());
            let doing = format!("get the location of version {version} of model {name:?}");
            let answer: DownloadUri = self.get(doing, target).await?;
            Ok(answer.artifact_uri)
        })
    }
}

impl MlflowClient {
    /// Looks for other versions in a stage that should now hold one: the server archives in several steps, so two promotions
    /// at once can both stay. Archiving here as well could leave the stage empty, so it is only reported.
    async fn warn_of_company(&self, name: &str, version: u32, stage: Stage) {
        let query = Query::new().equals(VersionField::Name, name).page_size(MAX_VERSIONS_PAGE);
        let Ok(page) = self.search_versions(&query).await else { return };
        let others: Vec<u32> = page
            .items
            .iter()
            .filter(|it| it.stage == stage && it.version != version)
            .map(|it| it.version)
            .collect();
        if !others.is_empty() {
            tracing::warn!(model = name, version, %stage, ?others, "other versions are in the stage as well: promote again");
        }
    }
}

fn searched<F>(path: &str, query: &Query<F>, max_page: u32, filter: &str) -> Target {
    api(path)
        .query_if("filter", Some(filter).filter(|filter| !filter.is_empty()))
        .query("max_results", &query.page_size.clamp(1, max_page).to_string())
        .query_if("page_token", query.page.as_ref().map(PageToken::as_str))
}
