//! Carries a job out against a registry.

use std::future::Future;
use std::ops::ControlFlow::{self, Break, Continue};
use std::pin::pin;

use martello_registry_client::{
    AliasName, Claim, ErrorKind as RegistryErrorKind, Experiment, ModelName, ModelVersion, NewRun,
    Publication, Query, Registry, Run, RunField, RunStatus, Tags, Timestamp,
};

use super::product::{self, Product};
use super::stop::{self, Stop};
use super::{Outcome, PromotionOutcome, PromotionPolicy, TrainingJob, WhenPresent};
use crate::error::{Error, ErrorKind};
use crate::evaluation::Evaluation;

/// The tag of a run that names the model it makes: what a trainer that died left behind is found by it.
const MODEL_TAG: &str = "martello.model";

/// Path and content of each file of a model folder.
type Files = Vec<(String, Vec<u8>)>;

pub(super) async fn run_until(
    job: &TrainingJob,
    registry: &Registry,
    stop: impl Future<Output = ()>,
) -> Result<Outcome, Error> {
    check_names(job)?;
    let wish = pin!(stop);
    let mut stop = Stop::new(wish);
    let (claim, experiment) = match stop.unless(begin(job, registry)).await? {
        Break(outcome) => return Ok(outcome),
        Continue(begun) => begun,
    };
    let run = NewRun {
        tags: Tags::from([(MODEL_TAG.to_owned(), job.model.clone())]),
        ..NewRun::in_experiment(experiment.experiment_id)
    };
    let created = async { registry.tracking().create_run(run).await.map_err(refused("a new run")) };
    // A run of which nobody knows could not be ended.
    let run = stop.after(created).await?;
    let outcome = match stop.unless(compute(job, registry, &run)).await {
        // From here on stopping would leave a version that nobody asked for.
        Ok(Continue((files, evaluation))) => register(job, registry, &run, files, evaluation).await,
        Ok(Break(outcome)) => Ok(outcome),
        Err(error) => Err(error),
    };
    end(registry, &run, &outcome).await;
    drop(claim);
    outcome
}

/// Takes the right to train the model; breaks if a version is there already.
async fn begin(
    job: &TrainingJob,
    registry: &Registry,
) -> Result<ControlFlow<Outcome, (Claim, Experiment)>, Error> {
    if let Some(outcome) = skipped(job, registry).await? {
        return Ok(Break(outcome));
    }
    // Whoever comes second waits here, and then finds the version of the first.
    let claim = claim(job, registry).await;
    if let Some(outcome) = skipped(job, registry).await? {
        return Ok(Break(outcome));
    }
    let experiment = registry.ensure_experiment(&job.experiment).await.map_err(refused("the experiment"))?;
    if claim.is_exclusive() {
        end_abandoned(job, registry, &experiment).await;
    }
    Ok(Continue((claim, experiment)))
}

/// Writes down how the run ended.
async fn end(registry: &Registry, run: &Run, outcome: &Result<Outcome, Error>) {
    let (status, stopped) = match outcome {
        Ok(Outcome::Trained { .. }) => (RunStatus::Finished, false),
        Ok(Outcome::Skipped { .. }) => (RunStatus::Killed, false),
        Err(error) if error.kind() == ErrorKind::Stopped => (RunStatus::Killed, true),
        Err(_) => (RunStatus::Failed, false),
    };
    if let Err(error) = outcome {
        tracing::warn!(run = run.run_id, %status, %error, "the run ends without a model");
    }
    let ending = registry.tracking().finish_run(&run.run_id, status, Timestamp::now());
    let ended = if stopped { stop::within_grace(ending).await } else { Some(ending.await) };
    // A model that is in charge is not taken back because the end of its run could not be written.
    let why = match ended {
        Some(Ok(_)) => return,
        Some(Err(error)) => error.to_string(),
        None => "the registry took too long".to_owned(),
    };
    tracing::warn!(run = run.run_id, %status, why, "the end of the run is not recorded: the next training does it");
}

/// Returns the outcome of a job that has nothing to do.
async fn skipped(job: &TrainingJob, registry: &Registry) -> Result<Option<Outcome>, Error> {
    if job.when_present == WhenPresent::Retrain {
        return Ok(None);
    }
    let Some(version) = present(job, registry).await? else { return Ok(None) };
    tracing::info!(model = job.model, version = version.version, stage = %job.stage, "present, nothing to train");
    Ok(Some(Outcome::Skipped { version }))
}

/// Takes the right to train the model, however long somebody else trains it, unless that one's version makes it needless.
async fn claim(job: &TrainingJob, registry: &Registry) -> Claim {
    loop {
        match registry.models().claim(&job.model).await {
            Ok(claim) => return claim,
            Err(error) if error.kind() == RegistryErrorKind::Conflict => {
                tracing::warn!(model = job.model, "another process trains this model: waiting for it");
            }
            Err(error) => {
                // What keeps a lock from being taken will fail the run, which then says so.
                tracing::warn!(model = job.model, %error, "cannot tell whether somebody else trains this model");
                return Claim::default();
            }
        }
    }
}

/// Ends the runs of trainers of this model that died, or whose disk was too full for the end of their run: the claim says that
/// none is at work. A failure is left to the next training.
async fn end_abandoned(job: &TrainingJob, registry: &Registry, experiment: &Experiment) {
    let query = Query::new()
        .equals(RunField::ExperimentId, experiment.experiment_id.as_str())
        .equals(RunField::Status, RunStatus::Running.as_str())
        .equals(RunField::Tag(MODEL_TAG.to_owned()), job.model.as_str());
    let ended = async {
        for run in registry.tracking().search_runs(&query).await?.items {
            tracing::warn!(run = run.run_id, "a run that nobody works on any more is marked as killed");
            registry.tracking().finish_run(&run.run_id, RunStatus::Killed, Timestamp::now()).await?;
        }
        Ok::<_, martello_registry_client::Error>(())
    };
    if let Err(error) = ended.await {
        tracing::warn!(%error, "cannot end the runs that nobody works on any more");
    }
}

/// Names are checked before anything is written, so that a bad one leaves no run behind.
fn check_names(job: &TrainingJob) -> Result<(), Error> {
    let refused = |cause: martello_registry_client::Error, what: &str| {
        Error::parameter(format!("the registry does not take the {what} of the job")).with_source(cause)
    };
    job.model.parse::<ModelName>().map_err(|cause| refused(cause, "model name"))?;
    if let Some(alias) = &job.alias {
        alias.parse::<AliasName>().map_err(|cause| refused(cause, "alias"))?;
    }
    Ok(())
}

/// The version that stands in the stage.
async fn present(job: &TrainingJob, registry: &Registry) -> Result<Option<ModelVersion>, Error> {
    match registry.models().latest_versions(&job.model, &[job.stage]).await {
        Ok(versions) => Ok(versions.into_iter().next()),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(refused("the versions of the model")(error)),
    }
}

/// Makes the files of a model, and logs how good it is; breaks if somebody else was faster.
async fn compute(
    job: &TrainingJob,
    registry: &Registry,
    run: &Run,
) -> Result<ControlFlow<Outcome, (Files, Evaluation)>, Error> {
    let (blocking, run_id) = (job.clone(), run.run_id.clone());
    let Product { record, files, evaluation } =
        tokio::task::spawn_blocking(move || product::make(&blocking, &run_id, Timestamp::now()))
            .await
            .map_err(|cause| {
                Error::new(ErrorKind::Internal, "the training thread died").with_source(cause)
            })??;
    // A registry without claims may have got a version meanwhile.
    if let Some(outcome) = skipped(job, registry).await? {
        return Ok(Break(outcome));
    }
    registry.tracking().log_batch(&run.run_id, record).await.map_err(refused("parameters and metrics"))?;
    Ok(Continue((files, evaluation)))
}

async fn register(
    job: &TrainingJob,
    registry: &Registry,
    run: &Run,
    files: Files,
    evaluation: Evaluation,
) -> Result<Outcome, Error> {
    let publication = Publication {
        // The same run publishes the same version however often the call has to be repeated.
        request_id: Some(format!("martello-train-{}", run.run_id)),
        ..Publication::of(&job.model, run, files)
    };
    let version = registry.publish(publication).await.map_err(refused("the model"))?;
    let (version, promotion) = promote(job, registry, version, &evaluation).await?;
    tracing::info!(model = job.model, version = version.version, ?promotion, "registered");
    Ok(Outcome::Trained { version, metrics: evaluation, promotion })
}

async fn promote(
    job: &TrainingJob,
    registry: &Registry,
    version: ModelVersion,
    evaluation: &Evaluation,
) -> Result<(ModelVersion, PromotionOutcome), Error> {
    let decision = match job.promotion {
        PromotionPolicy::Never => PromotionOutcome::NotAskedFor,
        PromotionPolicy::Always => PromotionOutcome::Promoted,
        PromotionPolicy::IfAtLeastAsGood => match present(job, registry).await? {
            None => PromotionOutcome::Promoted,
            Some(present) => compare(registry, &present, evaluation).await?,
        },
    };
    if decision != PromotionOutcome::Promoted {
        return Ok((version, decision));
    }
    let promoted = registry.promote(&job.model, version.version, job.stage, job.alias.as_deref()).await;
    Ok((promoted.map_err(refused("the promotion"))?, decision))
}

/// Compares with what the run of the present version recorded.
async fn compare(
    registry: &Registry,
    present: &ModelVersion,
    evaluation: &Evaluation,
) -> Result<PromotionOutcome, Error> {
    let (metric, new_value) = deciding_metric(evaluation);
    let present_value = recorded_metric(registry, present, metric).await?;
    let at_least_as_good = present_value.is_some_and(|present| match evaluation {
        Evaluation::Regression { .. } => new_value <= present,
        Evaluation::Classification { .. } => new_value >= present,
    });
    if at_least_as_good {
        return Ok(PromotionOutcome::Promoted);
    }
    Ok(PromotionOutcome::KeptPresent { present: present.version, metric, present_value, new_value })
}

fn deciding_metric(evaluation: &Evaluation) -> (&'static str, f64) {
    match evaluation {
        Evaluation::Regression { rmse, .. } => ("rmse", *rmse),
        Evaluation::Classification { accuracy, .. } => ("accuracy", *accuracy),
    }
}

async fn recorded_metric(
    registry: &Registry,
    version: &ModelVersion,
    metric: &str,
) -> Result<Option<f64>, Error> {
    let Some(run_id) = &version.run_id else { return Ok(None) };
    match registry.tracking().get_run(run_id).await {
        Ok(run) => Ok(run.metrics.get(metric).copied()),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(refused("the run of the present version")(error)),
    }
}

fn refused(what: &'static str) -> impl FnOnce(martello_registry_client::Error) -> Error {
    move |cause| {
        Error::new(ErrorKind::Registry, format!("the registry failed over {what}")).with_source(cause)
    }
}
