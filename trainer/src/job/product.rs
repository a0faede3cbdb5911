//! The part of a job that computes: from the source to the files of a model folder. Blocking, no registry.

use martello_model_core::flavor::{self, SaveOptions};
use martello_model_core::{Batch, Model, NativeModel};
use martello_registry_client::{RunBatch, Timestamp};

use super::{FinalFit, TrainingJob};
use crate::dataset::{Dataset, TargetValues};
use crate::error::{Error, ErrorKind};
use crate::evaluation::Evaluation;
use crate::parameters::Algorithm;
use crate::split::TrainTest;

/// What training made, ready to be logged and registered.
#[derive(Debug)]
pub(super) struct Product {
    /// Parameters, metrics and tags of the run.
    pub(super) record: RunBatch,
    /// The model folder: path and bytes.
    pub(super) files: Vec<(String, Vec<u8>)>,
    pub(super) evaluation: Evaluation,
}

/// Loads, splits, fits, evaluates and writes the model folder.
pub(super) fn make(job: &TrainingJob, run_id: &str, now: Timestamp) -> Result<Product, Error> {
    let data = job.source.load()?;
    let algorithm = job.algorithm.unwrap_or_else(|| Algorithm::for_target(data.target().values()));
    let parts = job.split.split(&data)?;
    let judged = algorithm.fit_within(&parts.train, &job.limits)?;
    let evaluation = Evaluation::of(&judged, &parts.test)?;
    let model = match job.final_fit {
        FinalFit::TrainRows => judged,
        FinalFit::AllRows => algorithm.fit_within(&data, &job.limits)?,
    };
    let example = parts.train.select(&[0]).to_batch(model.signature())?;
    let files = folder(&model, example, run_id, now)?;
    let record = record(job, &algorithm, &parts, &evaluation);
    tracing::info!(model = job.model, algorithm = algorithm.name(), rows = data.rows(), %evaluation, "trained");
    Ok(Product { record, files, evaluation })
}

/// Writes the model folder and reads it back: what is registered can be served.
fn folder(
    model: &NativeModel,
    example: Batch,
    run_id: &str,
    now: Timestamp,
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let options = SaveOptions {
        run_id: Some(run_id.to_owned()),
        // One run makes one model, so that the run's identifier names the model's bytes as well.
        model_uuid: Some(run_id.to_owned()),
        // Microseconds, as MLflow writes them.
        utc_time_created: Some(format!("{now}000")),
        input_example: Some(example),
        ..SaveOptions::default()
    };
    let files = flavor::save(model, &options)
        .map_err(|cause| Error::new(ErrorKind::Model, "the model could not be saved").with_source(cause))?;
    flavor::load(&files).map_err(|cause| {
        Error::new(ErrorKind::Model, "the saved model could not be read back").with_source(cause)
    })?;
    Ok(files.into_iter().collect())
}

fn record(job: &TrainingJob, algorithm: &Algorithm, parts: &TrainTest, evaluation: &Evaluation) -> RunBatch {
    let mut record = RunBatch::new()
        .param("train_size", parts.train.rows())
        .param("test_size", parts.test.rows())
        .param("n_features", parts.train.features().len())
        .param("model_type", algorithm.name())
        .tag("martello.final_fit", final_fit_name(job.final_fit))
        .tag("martello.task", task_name(&parts.train));
    if let Algorithm::LogisticRegression(params) = algorithm {
        record = record.param("alpha", params.alpha());
    }
    evaluation.metrics().into_iter().fold(record, |record, (name, value)| record.metric(name, value))
}

fn final_fit_name(final_fit: FinalFit) -> &'static str {
    match final_fit {
        FinalFit::TrainRows => "train_rows",
        FinalFit::AllRows => "all_rows",
    }
}

fn task_name(data: &Dataset) -> &'static str {
    match data.target().values() {
        TargetValues::Numbers(_) => "regression",
        TargetValues::Labels(_) => "classification",
    }
}
