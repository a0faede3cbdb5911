//! Experiments and runs.

use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::batch::pieces;
use super::client::{MlflowClient, Nothing, api};
use super::create::exactly_once;
use super::message::{ExperimentMessage, MetricMessage, RunMessage, pairs};
use super::page::{absent, next};
use crate::embedded::validate;
use crate::{
    BoxFuture, Experiment, Metric, NewExperiment, NewRun, Page, PageToken, Query, REQUEST_ID_TAG, Result,
    Run, RunBatch, RunField, RunStatus, Timestamp, TrackingStore,
};

/// How many values of a metric are asked for at a time: the server's own cap on a page of them.
const HISTORY_PAGE: &str = "25000";

#[derive(Deserialize)]
struct ExperimentId {
    experiment_id: String,
}

#[derive(Deserialize)]
struct OneExperiment {
    experiment: ExperimentMessage,
}

#[derive(Deserialize)]
struct OneRun {
    run: RunMessage,
}

#[derive(Deserialize)]
struct History {
    #[serde(default)]
    metrics: Vec<MetricMessage>,
    next_page_token: Option<String>,
}

impl TrackingStore for MlflowClient {
    fn create_experiment(&self, new: NewExperiment) -> BoxFuture<'_, Result<Experiment>> {
        Box::pin(async move {
            validate::name("experiment", &new.name)?;
            validate::tags(&new.tags)?;
            exactly_once(|| self.post_experiment(&new), || self.find_made_experiment(&new)).await
        })
    }

    fn get_experiment<'a>(&'a self, experiment_id: &'a str) -> BoxFuture<'a, Result<Experiment>> {
        Box::pin(async move {
            let target = api("experiments/get").query("experiment_id", experiment_id);
            let answer: OneExperiment = self.get(format!("get experiment {experiment_id}"), target).await?;
            Ok(answer.experiment.into())
        })
    }

    fn get_experiment_by_name<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Experiment>> {
        Box::pin(async move {
            let target = api("experiments/get-by-name").query("experiment_name", name);
            let answer: OneExperiment = self.get(format!("get experiment {name:?}"), target).await?;
            Ok(answer.experiment.into())
        })
    }

    fn create_run(&self, mut new: NewRun) -> BoxFuture<'_, Result<Run>> {
        Box::pin(async move {
            validate::tags(&new.tags)?;
            // Nothing else tells this run from another one that began in the same millisecond.
            let request_id = new
                .tags
                .entry(REQUEST_ID_TAG.to_owned())
                .or_insert_with(|| Uuid::new_v4().to_string())
                .clone();
            let start = new.start_time.unwrap_or_else(Timestamp::now);
            exactly_once(
                || self.post_run(&new, start),
                || self.find_made_run(&new.experiment_id, &request_id),
            )
            .await
        })
    }

    fn get_run<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Run>> {
        Box::pin(async move {
            let target = api("runs/get").query("run_id", run_id);
            let answer: OneRun = self.get(format!("get run {run_id}"), target).await?;
            answer.run.try_into()
        })
    }

    fn search_runs<'a>(&'a self, query: &'a Query<RunField>) -> BoxFuture<'a, Result<Page<Run>>> {
        Box::pin(self.find_runs(query))
    }

    fn log_batch<'a>(&'a self, run_id: &'a str, batch: RunBatch) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            validate::batch(&batch)?;
            for piece in pieces(run_id, &batch) {
                let _: Nothing = self.post(format!("log to run {run_id}"), "runs/log-batch", &piece).await?;
            }
            Ok(())
        })
    }

    fn metric_history<'a>(&'a self, run_id: &'a str, key: &'a str) -> BoxFuture<'a, Result<Vec<Metric>>> {
        Box::pin(async move {
            let mut metrics: Vec<Metric> = Vec::new();
            let mut page: Option<PageToken> = None;
            loop {
                let target = api("metrics/get-history")
                    .query("run_id", run_id)
                    .query("metric_key", key)
                    .query("max_results", HISTORY_PAGE)
                    .query_if("page_token", page.as_ref().map(PageToken::as_str));
                let answer: History = self.get(format!("get metric {key:?} of run {run_id}"), target).await?;
                metrics.extend(answer.metrics.into_iter().map(Metric::from));
                page = next(answer.next_page_token);
                if page.is_none() {
                    break;
                }
            }
            metrics.sort_by(|a, b| {
                (a.timestamp, a.step).cmp(&(b.timestamp, b.step)).then(a.value.total_cmp(&b.value))
            });
            Ok(metrics)
        })
    }

    fn finish_run<'a>(
        &'a self,
        run_id: &'a str,
        status: RunStatus,
        end: Timestamp,
    ) -> BoxFuture<'a, Result<Run>> {
        Box::pin(async move {
            let body = json!({"run_id": run_id, "status": status.as_str(), "end_time": end.as_millis()});
            let _: Nothing = self.post(format!("end run {run_id}"), "runs/update", &body).await?;
            self.get_run(run_id).await
        })
    }

    fn delete_run<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let _: Nothing =
                self.post(format!("delete run {run_id}"), "runs/delete", &json!({"run_id": run_id})).await?;
            Ok(())
        })
    }

    fn logged_model_location<'a>(&'a self, model_id: &'a str) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move { Ok(self.get_logged_model(model_id).await?.artifact_uri) })
    }

    fn find_logged_model<'a>(&'a self, run: &'a Run, name: &'a str) -> BoxFuture<'a, Result<Option<String>>> {
        Box::pin(async move { self.logged_by(run, name).await })
    }
}

impl MlflowClient {
    async fn post_experiment(&self, new: &NewExperiment) -> Result<Experiment> {
        let body = json!({
            "name": new.name,
            "artifact_location": new.artifact_location,
            "tags": pairs(&new.tags),
        });
        let doing = format!("make experiment {:?}", new.name);
        let made: ExperimentId = self.post_once(doing, "experiments/create", &body).await?;
        self.get_experiment(&made.experiment_id).await
    }

    /// Finds an experiment that looks as if this request had made it.
    async fn find_made_experiment(&self, new: &NewExperiment) -> Result<Option<Experiment>> {
        let found = absent(self.get_experiment_by_name(&new.name).await)?;
        let is_ours = |found: &Experiment| {
            found.tags == new.tags
                && new.artifact_location.as_ref().is_none_or(|it| *it == found.artifact_location)
        };
        Ok(found.filter(is_ours))
    }

    async fn post_run(&self, new: &NewRun, start: Timestamp) -> Result<Run> {
        let body = json!({
            "experiment_id": new.experiment_id,
            "run_name": new.name,
            "user_id": new.user_id,
            "start_time": start.as_millis(),
            "tags": pairs(&new.tags),
        });
        let doing = format!("start a run in experiment {}", new.experiment_id);
        let made: OneRun = self.post_once(doing, "runs/create", &body).await?;
        made.run.try_into()
    }

    async fn find_made_run(&self, experiment_id: &str, request_id: &str) -> Result<Option<Run>> {
        let query = Query::new()
            .equals(RunField::ExperimentId, experiment_id)
            .equals(RunField::Tag(REQUEST_ID_TAG.to_owned()), request_id);
        Ok(self.search_runs(&query).await?.items.pop())
    }
}
