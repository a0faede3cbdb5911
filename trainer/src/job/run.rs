//! Carries a job out against a registry.

use martello_registry_client::{
    AliasName, ModelName, ModelVersion, NewRun, Publication, Registry, Run, RunStatus, Timestamp,
};

use super::product::{self, Product};
use super::{Outcome, PromotionOutcome, PromotionPolicy, TrainingJob, WhenPresent};
use crate::error::{Error, ErrorKind};
use crate::evaluation::Evaluation;

pub(super) async fn run(job: &TrainingJob, registry: &Registry) -> Result<Outcome, Error> {
    check_names(job)?;
    if let (WhenPresent::Skip, Some(version)) = (job.when_present, present(job, registry).await?) {
        tracing::info!(model = job.model, version = version.version, stage = %job.stage, "present, nothing to train");
        return Ok(Outcome::Skipped { version });
    }
    let experiment = registry.ensure_experiment(&job.experiment).await.map_err(refused("the experiment"))?;
    let run = NewRun::in_experiment(experiment.experiment_id);
    let run = registry.tracking().create_run(run).await.map_err(refused("a new run"))?;
    let outcome = train(job, registry, &run).await;
    let status = if outcome.is_ok() { RunStatus::Finished } else { RunStatus::Failed };
    let ended = registry.tracking().finish_run(&run.run_id, status, Timestamp::now()).await;
    match (&outcome, ended) {
        // A model that is in charge is not taken back because the end of its run could not be written.
        (_, Err(error)) => {
            tracing::warn!(run = run.run_id, %status, %error, "the end of the run is not recorded")
        }
        (Err(error), Ok(_)) => tracing::warn!(run = run.run_id, %error, "the run failed"),
        (Ok(_), Ok(_)) => {}
    }
    outcome
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
