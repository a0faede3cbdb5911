//! Searching runs: MLflow wants the experiments beside the filter.

use serde::Deserialize;
use serde_json::json;

use super::client::MlflowClient;
use super::filter::filter;
use super::message::{ExperimentMessage, RunMessage};
use super::page::next;
use crate::{Comparison, Condition, Experiment, Page, PageToken, Query, Result, Run, RunField, Value};

/// The server's own cap on a page of runs.
const MAX_RUNS_PAGE: u32 = 50_000;

/// How many experiments are asked for at a time.
const EXPERIMENTS_PAGE: u32 = 1_000;

#[derive(Deserialize)]
struct ManyExperiments {
    #[serde(default)]
    experiments: Vec<ExperimentMessage>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct ManyRuns {
    #[serde(default)]
    runs: Vec<RunMessage>,
    next_page_token: Option<String>,
}

impl MlflowClient {
    pub(super) async fn find_runs(&self, query: &Query<RunField>) -> Result<Page<Run>> {
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
    }

    /// Takes the experiments out of the conditions: MLflow searches runs in a list of experiments, all of them if none is named.
    async fn split_by_experiment<'q>(
        &self,
        query: &'q Query<RunField>,
    ) -> Result<(Vec<String>, Vec<&'q Condition<RunField>>)> {
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

/// MLflow 2.14 takes a NaN for a 0 when it compares.
fn compares_no_number(run: &Run, query: &Query<RunField>) -> bool {
    query.conditions.iter().any(|condition| match &condition.field {
        RunField::Metric(key) => run.metrics.get(key).is_some_and(|value| value.is_nan()),
        _ => false,
    })
}
