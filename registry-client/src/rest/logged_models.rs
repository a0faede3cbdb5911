//! Logged models, which MLflow has since version 3: models that belong to a run, registered or not.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::client::{MlflowClient, Nothing, api};
use super::message::{Pair, pairs, tags};
use super::page::next;
use crate::http::Safety;
use crate::{ErrorKind, Page, PageToken, Result, Run, Tags};

/// How many logged models a page holds at most: the server's own cap.
const PAGE: u32 = 50;

/// A logged model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedModel {
    /// `m-` and 32 hexadecimal digits.
    pub model_id: String,
    /// The experiment that it belongs to.
    pub experiment_id: String,
    /// The name that the run gave it; not unique.
    pub name: String,
    /// The URI of its folder.
    pub artifact_uri: String,
    /// Whether it is complete.
    pub status: LoggedModelStatus,
    /// The run that made it.
    pub source_run_id: Option<String>,
    /// Free key-value pairs.
    pub tags: Tags,
}

/// Whether a logged model is complete.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoggedModelStatus {
    /// Its files are being written.
    Pending,
    /// Complete.
    Ready,
    /// Its files will never be complete.
    Failed,
    /// A status of a later MLflow.
    Unknown,
}

/// What it takes to begin a logged model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewLoggedModel {
    /// The experiment that it belongs to.
    pub experiment_id: String,
    /// The name that the run gives it.
    pub name: String,
    /// The run that makes it.
    pub source_run_id: Option<String>,
    /// Parameters, as of a run.
    pub params: Tags,
    /// Free key-value pairs.
    pub tags: Tags,
}

#[derive(Deserialize)]
struct One {
    model: Message,
}

#[derive(Deserialize)]
struct Many {
    #[serde(default)]
    models: Vec<Message>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    info: Info,
}

#[derive(Deserialize)]
struct Info {
    model_id: String,
    experiment_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    artifact_uri: String,
    #[serde(default)]
    status: String,
    source_run_id: Option<String>,
    #[serde(default)]
    tags: Vec<Pair>,
}

/// Logged models; every call fails with `Unsupported` on a server before MLflow 3.
impl MlflowClient {
    /// Begins a logged model; its files go to its `artifact_uri`.
    ///
    /// # Errors
    ///
    /// `NotFound` without the experiment, `Ambiguous` when the answer was lost: then one more may have been begun, which is
    /// never complete.
    pub async fn create_logged_model(&self, new: &NewLoggedModel) -> Result<LoggedModel> {
        let body = json!({
            "experiment_id": new.experiment_id,
            "name": new.name,
            "source_run_id": new.source_run_id,
            "params": pairs(&new.params),
            "tags": pairs(&new.tags),
        });
        let made: One =
            self.post_once(format!("begin logged model {:?}", new.name), "logged-models", &body).await?;
        Ok(made.model.into())
    }

    /// Says that a logged model's files are complete, or never will be.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is none, `InvalidArgument` for a status other than ready or failed.
    pub async fn finish_logged_model(
        &self,
        model_id: &str,
        status: LoggedModelStatus,
    ) -> Result<LoggedModel> {
        let word = match status {
            LoggedModelStatus::Ready => "LOGGED_MODEL_READY",
            LoggedModelStatus::Failed => "LOGGED_MODEL_UPLOAD_FAILED",
            other => return Err(crate::Error::invalid(format!("a logged model cannot end as {other:?}"))),
        };
        let path = format!("logged-models/{model_id}");
        let body = json!({"model_id": model_id, "status": word});
        let doing = format!("end logged model {model_id}");
        let one: One = self.send(doing, Method::PATCH, &path, &body, Safety::Repeatable).await?;
        Ok(one.model.into())
    }

    /// Returns a logged model.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is none.
    pub async fn get_logged_model(&self, model_id: &str) -> Result<LoggedModel> {
        let one: One =
            self.get(format!("get logged model {model_id}"), api("logged-models").path(model_id)).await?;
        Ok(one.model.into())
    }

    /// Returns the logged models of an experiment, those of one run only if one is named, the newest first.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub async fn search_logged_models(
        &self,
        experiment_id: &str,
        source_run_id: Option<&str>,
        page: Option<&PageToken>,
    ) -> Result<Page<LoggedModel>> {
        let body = json!({
            "experiment_ids": [experiment_id],
            "filter": source_run_id.map(|run_id| format!("source_run_id = '{}'", run_id.replace('\'', ""))),
            "max_results": PAGE,
            "order_by": [{"field_name": "creation_timestamp", "ascending": false}],
            "page_token": page.map(PageToken::as_str),
        });
        let many: Many = self.post("search logged models", "logged-models/search", &body).await?;
        let items = many.models.into_iter().map(LoggedModel::from).collect();
        Ok(Page { items, next: next(many.next_page_token) })
    }

    /// Finds the newest complete model of this name that a run has logged; none on a server that has no logged models.
    pub(super) async fn logged_by(&self, run: &Run, name: &str) -> Result<Option<String>> {
        let mut page = None;
        loop {
            let found = self.search_logged_models(&run.experiment_id, Some(&run.run_id), page.as_ref()).await;
            let found = match found {
                Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(None),
                found => found?,
            };
            let is_it = |model: &LoggedModel| model.name == name && model.status == LoggedModelStatus::Ready;
            if let Some(model) = found.items.into_iter().find(is_it) {
                return Ok(Some(model.artifact_uri));
            }
            page = found.next;
            if page.is_none() {
                return Ok(None);
            }
        }
    }

    /// Says that a run made these logged models.
    ///
    /// # Errors
    ///
    /// `NotFound` without the run.
    pub async fn log_outputs(&self, run_id: &str, model_ids: &[&str]) -> Result<()> {
        let models: Vec<_> = model_ids.iter().map(|id| json!({"model_id": id, "step": 0})).collect();
        let body = json!({"run_id": run_id, "models": models});
        let _: Nothing = self.post(format!("log outputs of run {run_id}"), "runs/outputs", &body).await?;
        Ok(())
    }
}

impl From<Message> for LoggedModel {
    fn from(Message { info }: Message) -> Self {
        Self {
            model_id: info.model_id,
            experiment_id: info.experiment_id,
            name: info.name,
            artifact_uri: info.artifact_uri,
            status: match info.status.as_str() {
                "LOGGED_MODEL_PENDING" => LoggedModelStatus::Pending,
                "LOGGED_MODEL_READY" => LoggedModelStatus::Ready,
                "LOGGED_MODEL_UPLOAD_FAILED" => LoggedModelStatus::Failed,
                _ => LoggedModelStatus::Unknown,
            },
            source_run_id: info.source_run_id.filter(|id| !id.is_empty()),
            tags: tags(info.tags),
        }
    }
}
