//! Experiments and runs.

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::client::{MlflowClient, Nothing, api};
use super::create::exactly_once;
use super::filter::filter;
use super::message::{ExperimentMessage, MetricMessage, Pair, RunMessage, pairs};
use crate::embedded::validate;
use crate::{
    BoxFuture, Comparison, Experiment, Metric, NewExperiment, NewRun, Page, PageToken, Query, REQUEST_ID_TAG,
    Result, Run, RunBatch, RunField, RunStatus, Tags, Timestamp, TrackingStore, Value,
};

/// The server's own cap on a page of runs.
const MAX_RUNS_PAGE: u32 = 50_000;

/// How many experiments are asked for at a time.
const EXPERIMENTS_PAGE: u32 = 1_000;

/// How many values of a metric are asked for at a time: the server's own cap on a page of them.
const HISTORY_PAGE: &str = "25000";

/// The server refuses more parameters, more tags, more metrics or more entries in one batch.
const MAX_PARAMS: usize = 100;
const MAX_TAGS: usize = 100;
const MAX_ENTRIES: usize = 1_000;

#[derive(Deserialize)]
struct ExperimentId {
    experiment_id: String,
}

#[derive(Deserialize)]
struct OneExperiment {
    experiment: ExperimentMessage,
}

#[derive(Deserialize)]
struct ManyExperiments {
    #[serde(default)]
    experiments: Vec<ExperimentMessage>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct OneRun {
    run: RunMessage,
}

#[derive(Deserialize)]
struct ManyRuns {
    #[serde(default)]
    runs: Vec<RunMessage>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct History {
    #[serde(default)]
    metrics: Vec<MetricMessage>,
    next_page_token: Option<String>,
}

/// One call's worth of a batch.
#[derive(Default, Serialize)]
struct Batch<'a> {
    run_id: &'a str,
    metrics: Vec<MetricMessage>,
    params: Vec<Pair>,
    tags: Vec<Pair>,
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
        Box::pin(async move {
            let (experiment_ids, conditions) = self.split_by_experiment(query).await?;
            let body = json!({
                "experiment_ids": experiment_ids,
                "filter": filter(conditions)?,
                "run_view_type": "ACTIVE_ONLY",
                "max_results": query.page_size.clamp(1, MAX_RUNS_PAGE),
                "order_by": ["attributes.start_time DESC"],
                "page_token": query.page.as_ref().map(PageToken::as_str),
            });
            let answer: ManyRuns = self.post("search runs", "runs/search", &body).await?;
            let found: Result<Vec<Run>> = answer.runs.into_iter().map(Run::try_from).collect();
            let items = found?.into_iter().filter(|run| !compares_no_number(run, query)).collect();
            Ok(Page { items, next: next(answer.next_page_token) })
        })
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

    /// Takes the experiments out of the conditions: MLflow searches runs in a list of experiments, all of them if none is named.
    async fn split_by_experiment<'q>(
        &self,
        query: &'q Query<RunField>,
    ) -> Result<(Vec<String>, Vec<&'q crate::Condition<RunField>>)> {
        let mut named: Option<Vec<String>> = None;
        let mut others = Vec::new();
        for condition in &query.conditions {
            match (&condition.field, condition.comparison, &condition.value) {
                (RunField::ExperimentId, Comparison::Equal, Value::Text(id)) => match &mut named {
                    Some(ids) => ids.retain(|named| named == id),
                    None => named = Some(vec![id.clone()]),
                },
                _ => others.push(condition),
            }
        }
        let ids = match named {
            Some(ids) => ids,
            None => self.experiment_ids().await?,
        };
        Ok((ids, others))
    }

    async fn experiment_ids(&self) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        let mut page: Option<PageToken> = None;
        loop {
            let body = json!({
                "max_results": EXPERIMENTS_PAGE,
                "view_type": "ALL",
                "page_token": page.as_ref().map(PageToken::as_str),
            });
            let answer: ManyExperiments = self.post("list experiments", "experiments/search", &body).await?;
            ids.extend(answer.experiments.into_iter().map(|message| Experiment::from(message).experiment_id));
            page = next(answer.next_page_token);
            if page.is_none() {
                return Ok(ids);
            }
        }
    }
}

/// Returns `None` for what does not exist.
pub(super) fn absent<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn next(token: Option<String>) -> Option<PageToken> {
    token.filter(|token| !token.is_empty()).map(PageToken::new)
}

/// Cuts a batch into what the server takes at once; nearly every batch is one piece. Parameters and tags, of which the server
/// may refuse one, come first.
fn pieces<'a>(run_id: &'a str, batch: &RunBatch) -> Vec<Batch<'a>> {
    let mut pieces = Vec::new();
    let (mut params, mut tags) = (chunks(&batch.params, MAX_PARAMS), chunks(&batch.tags, MAX_TAGS));
    let mut metrics = batch.metrics.iter();
    loop {
        let mut piece = Batch { run_id, ..Batch::default() };
        piece.params = params.next().unwrap_or_default();
        piece.tags = tags.next().unwrap_or_default();
        let room = MAX_ENTRIES - piece.params.len() - piece.tags.len();
        piece.metrics = metrics.by_ref().take(room).map(MetricMessage::from).collect();
        if piece.params.is_empty() && piece.tags.is_empty() && piece.metrics.is_empty() && !pieces.is_empty()
        {
            return pieces;
        }
        pieces.push(piece);
    }
}

/// MLflow 2.14 takes a NaN for a 0 when it compares.
fn compares_no_number(run: &Run, query: &Query<RunField>) -> bool {
    query.conditions.iter().any(|condition| match &condition.field {
        RunField::Metric(key) => run.metrics.get(key).is_some_and(|value| value.is_nan()),
        _ => false,
    })
}

fn chunks(entries: &Tags, size: usize) -> std::vec::IntoIter<Vec<Pair>> {
    let all = pairs(entries);
    let mut chunks: Vec<Vec<Pair>> = Vec::new();
    for pair in all {
        match chunks.last_mut() {
            Some(last) if last.len() < size => last.push(pair),
            _ => chunks.push(vec![pair]),
        }
    }
    chunks.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_cut_into_what_the_server_takes_and_nothing_is_lost() {
        let mut batch = RunBatch::new();
        for at in 0..250 {
            batch = batch.param(format!("p{at:03}"), at).tag(format!("t{at:03}"), "x");
        }
        for at in 0..2_500 {
            batch = batch.metric(format!("m{at}"), f64::from(at));
        }
        let cut = pieces("r", &batch);
        assert!(cut.iter().all(|piece| piece.params.len() <= MAX_PARAMS && piece.tags.len() <= MAX_TAGS));
        assert!(
            cut.iter()
                .all(|piece| piece.params.len() + piece.tags.len() + piece.metrics.len() <= MAX_ENTRIES)
        );
        let total = |count: fn(&Batch<'_>) -> usize| cut.iter().map(count).sum::<usize>();
        assert_eq!(
            (total(|it| it.params.len()), total(|it| it.tags.len()), total(|it| it.metrics.len())),
            (250, 250, 2_500)
        );
    }

    #[test]
    fn an_empty_batch_still_asks_whether_the_run_can_be_written() {
        assert_eq!(pieces("r", &RunBatch::new()).len(), 1);
    }
}
