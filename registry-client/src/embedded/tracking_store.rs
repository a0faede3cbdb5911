//! [`TrackingStore`] on the embedded database.

use super::database::Database;
use super::{experiments, log, logged_models, runs};
use crate::{
    BoxFuture, Experiment, Location, Metric, NewExperiment, NewRun, Page, Query, Result, Run, RunBatch,
    RunField, RunStatus, Timestamp, TrackingStore,
};

#[derive(Debug)]
pub(super) struct EmbeddedTracking {
    database: Database,
    artifacts: Location,
}

impl EmbeddedTracking {
    pub(super) fn new(database: Database, artifacts: Location) -> Self {
        Self { database, artifacts }
    }
}

impl TrackingStore for EmbeddedTracking {
    fn create_experiment(&self, experiment: NewExperiment) -> BoxFuture<'_, Result<Experiment>> {
        let artifacts = self.artifacts.clone();
        Box::pin(
            self.database.write(move |transaction| experiments::create(transaction, &experiment, &artifacts)),
        )
    }

    fn get_experiment<'a>(&'a self, experiment_id: &'a str) -> BoxFuture<'a, Result<Experiment>> {
        let id = experiment_id.to_owned();
        Box::pin(self.database.read(move |connection| experiments::by_id(connection, &id)))
    }

    fn get_experiment_by_name<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Experiment>> {
        let name = name.to_owned();
        Box::pin(self.database.read(move |connection| experiments::by_name(connection, &name)))
    }

    fn create_run(&self, run: NewRun) -> BoxFuture<'_, Result<Run>> {
        Box::pin(self.database.write(move |transaction| runs::create(transaction, &run)))
    }

    fn get_run<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Run>> {
        let run_id = run_id.to_owned();
        Box::pin(self.database.read(move |connection| runs::by_id(connection, &run_id)))
    }

    fn search_runs<'a>(&'a self, query: &'a Query<RunField>) -> BoxFuture<'a, Result<Page<Run>>> {
        let query = query.clone();
        Box::pin(self.database.read(move |connection| runs::search(connection, &query)))
    }

    fn log_batch<'a>(&'a self, run_id: &'a str, batch: RunBatch) -> BoxFuture<'a, Result<()>> {
        let run_id = run_id.to_owned();
        Box::pin(self.database.write(move |transaction| log::write(transaction, &run_id, &batch)))
    }

    fn metric_history<'a>(&'a self, run_id: &'a str, key: &'a str) -> BoxFuture<'a, Result<Vec<Metric>>> {
        let (run_id, key) = (run_id.to_owned(), key.to_owned());
        Box::pin(self.database.read(move |connection| log::history(connection, &run_id, &key)))
    }

    fn finish_run<'a>(
        &'a self,
        run_id: &'a str,
        status: RunStatus,
        end: Timestamp,
    ) -> BoxFuture<'a, Result<Run>> {
        let run_id = run_id.to_owned();
        Box::pin(self.database.write(move |transaction| runs::finish(transaction, &run_id, status, end)))
    }

    fn delete_run<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<()>> {
        let run_id = run_id.to_owned();
        Box::pin(self.database.write(move |transaction| runs::delete(transaction, &run_id)))
    }

    fn logged_model_location<'a>(&'a self, model_id: &'a str) -> BoxFuture<'a, Result<String>> {
        let model_id = model_id.to_owned();
        Box::pin(self.database.read(move |connection| logged_models::location(connection, &model_id)))
    }

    fn find_logged_model<'a>(&'a self, run: &'a Run, name: &'a str) -> BoxFuture<'a, Result<Option<String>>> {
        let (run_id, name) = (run.run_id.clone(), name.to_owned());
        Box::pin(self.database.read(move |connection| logged_models::of_run(connection, &run_id, &name)))
    }
}
