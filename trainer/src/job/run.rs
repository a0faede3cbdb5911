//! Carries a job out against a registry.

use martello_registry_client::{
    AliasName, Claim, ErrorKind as RegistryErrorKind, Experiment, ModelName, ModelVersion, NewRun,
    Publication, Query, Registry, Run, RunField, RunStatus, Tags, Timestamp,
};

use super::product::{self, Product};
use super::{Outcome, PromotionOutcome, PromotionPolicy, TrainingJob, WhenPresent};
use crate::error::{Error, ErrorKind};
use crate::evaluation::Evaluation;

/// The tag of a run that names the model it makes: what a trainer that died left behind is found by it.
const MODEL_TAG: &str = "martello.model";

pub(super) async fn run(job: &TrainingJob, registry: &Registry) -> Result<Outcome, Error> {
    check_names(job)?;
    if let Some(outcome) = skipped(job, registry).await? {
        return Ok(outcome);
    }
    // Whoever comes second waits here, and then finds the version of the first.
    let claim = claim(job, registry).await;
    if let Some(outcome) = skipped(job, registry).await? {
        return Ok(outcome);
    }
    let experiment = registry.ensure_experiment(&job.experiment).await.map_err(refused("the experiment"))?;
    if claim.is_exclusive() {
        end_abandoned(job, registry, &experiment).await;
    }
    let run = NewRun {
        tags: Tags::from([(MODEL_TAG.to_owned(), job.model.clone())]),
        ..NewRun::in_experiment(experiment.experiment_id)
    };
    let run = registry.tracking().create_run(run).await.map_err(refused("a new run"))?;
    let outcome = train(job, registry, &run).await;
    let status = match &outcome {
        Ok(Outcome::Trained { .. }) => RunStatus::Finished,
        Ok(Outcome::Skipped { .. }) => RunStatus::Killed,
        Err(_) => RunStatus::Failed,
    };
    let ended = registry.tracking().finish_run(&run.run_id, status, Timestamp::now()).await;
    match (&outcome, ended) {
        // A model that is in charge is not taken back because the end of its run could not be written.
        (_, Err(error)) => {
            tracing::warn!(run = run.run_id, %status, %error, "the end of the run is not recorded: the next training does it")
        }
        (Err(error), Ok(_)) => tracing::warn!(run = run.run_id, %error, "the run failed"),
        (Ok(_), Ok(_)) => {}
    }
    drop(claim);
    outcome
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

async fn train(job: &TrainingJob, registry: &Registry, run: &Run) -> Result<Outcome, Error> {
    let (blocking, run_id) = (job.clone(), run.run_id.clone());
    let Product { record, files, evaluation } =
        tokio::task::spawn_blocking(move || product::make(&blocking, &run_id, Timestamp::now()))
            .await
            .map_err(|cause| {
                Error::new(ErrorKind::Internal, "the training thread died").with_source(cause)
            })??;
    // A registry without claims may have got a version meanwhile.
    if let Some(outcome) = skipped(job, registry).await? {
        return Ok(outcome);
    }
    registry.tracking().log_batch(&run.run_id, record).await.map_err(refused("parameters and metrics"))?;
    let publication = Publication {
        // The same run publishes the same version however often the call has to be repeated.
        request_id: Some(format!("martello-train-{}", run.run_id)),
        ..Publication::new(&job.model, &run.run_id, files)
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
