//! Experiments and runs.

use std::fmt;

use super::BoxFuture;
use crate::{
    Experiment, Metric, NewExperiment, NewRun, Page, Query, Result, Run, RunBatch, RunField, RunStatus,
    Timestamp,
};

/// Stores experiments and runs with their parameters, metrics and tags.
///
/// Every `get` fails with `NotFound` when there is nothing; every write to a deleted run or experiment with `InvalidArgument`.
pub trait TrackingStore: Send + Sync + fmt::Debug {
    /// Makes an experiment.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` when the name is taken.
    fn create_experiment(&self, experiment: NewExperiment) -> BoxFuture<'_, Result<Experiment>>;

    /// Returns an experiment by its identifier.
    fn get_experiment<'a>(&'a self, experiment_id: &'a str) -> BoxFuture<'a, Result<Experiment>>;

    /// Returns an experiment by its name.
    fn get_experiment_by_name<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Experiment>>;

    /// Starts a run.
    fn create_run(&self, run: NewRun) -> BoxFuture<'_, Result<Run>>;

    /// Returns a run with its parameters, latest metrics and tags.
    fn get_run<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Run>>;

    /// Returns active runs that match, the latest start first.
    fn search_runs<'a>(&'a self, query: &'a Query<RunField>) -> BoxFuture<'a, Result<Page<Run>>>;

    /// Writes parameters, metrics and tags, all or none.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when a parameter has another value already, or a key or value is too long.
    fn log_batch<'a>(&'a self, run_id: &'a str, batch: RunBatch) -> BoxFuture<'a, Result<()>>;

    /// Returns every value that was logged for a metric, in the order of time and step.
    fn metric_history<'a>(&'a self, run_id: &'a str, key: &'a str) -> BoxFuture<'a, Result<Vec<Metric>>>;

    /// Ends a run.
    fn finish_run<'a>(
        &'a self,
        run_id: &'a str,
        status: RunStatus,
        end: Timestamp,
    ) -> BoxFuture<'a, Result<Run>>;

    /// Marks a run as deleted.
    fn delete_run<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Returns the URI of the folder of a logged model, which MLflow has since version 3.
    ///
    /// # Errors
    ///
    /// `Unsupported` when the backend is older.
    fn logged_model_location<'a>(&'a self, model_id: &'a str) -> BoxFuture<'a, Result<String>>;

    /// Returns the URI of the newest model of this name that a run has logged beside its own artifacts, as MLflow does since
    /// version 3; `None` on older backends.
    fn find_logged_model<'a>(&'a self, run: &'a Run, name: &'a str) -> BoxFuture<'a, Result<Option<String>>> {
        let _ = (run, name);
        Box::pin(async { Ok(None) })
    }
}
