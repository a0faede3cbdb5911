//! A job that fails says why, marks its run, and registers nothing.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod support;

use std::error::Error as _;

use martello_registry_client::RunStatus;
use martello_trainer::{ErrorKind, Logistic, LogisticParams, TrainingJob};
use support::{Embedded, embedded, line, two_classes};

async fn assert_nothing_registered(world: &Embedded, model: &str) {
    assert!(world.versions(model).await.is_empty());
    assert!(world.registry.models().get_model(model).await.unwrap_err().is_not_found());
}

async fn fails(world: &Embedded, job: TrainingJob, kind: ErrorKind) -> martello_trainer::Error {
    let error = job.run(&world.registry).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    let runs = world.runs(job.model_name()).await;
    assert_eq!(runs.iter().map(|run| run.status).collect::<Vec<_>>(), [RunStatus::Failed]);
    assert!(runs[0].end_time.is_some());
    assert_nothing_registered(world, job.model_name()).await;
    error
}

#[tokio::test]
async fn a_broken_file_fails_the_run_with_file_line_and_column() {
    let world = embedded().await;
    let path = world.folder.path().join("prices.csv");
    std::fs::write(&path, "rooms,price\n3,310\nmany,275\n").unwrap();
    let error = fails(&world, TrainingJob::from_csv(&path, "price"), ErrorKind::InvalidData).await;
    let message = error.to_string();
    assert!(message.contains("prices.csv: line 3, column 1 (`rooms`): `many`"), "{message}");
    assert!(error.is_callers_fault());
}

#[tokio::test]
async fn a_file_that_is_not_there_fails_the_run_with_its_cause() {
    let world = embedded().await;
    let path = world.folder.path().join("nowhere.csv");
    let error = fails(&world, TrainingJob::from_csv(path, "price"), ErrorKind::Io).await;
    assert!(error.to_string().contains("nowhere.csv"), "{error}");
    assert!(error.source().is_some());
}

#[tokio::test]
async fn a_target_that_does_not_suit_the_algorithm_fails_the_run() {
    let world = embedded().await;
    let job = TrainingJob::from_dataset("line", line(1.0));
    let job = job.algorithm(martello_trainer::Algorithm::LogisticRegression(Logistic::default()));
    let error = fails(&world, job, ErrorKind::InvalidData).await;
    assert!(error.to_string().contains("declare it as text to classify"), "{error}");
}

#[tokio::test]
async fn a_model_that_did_not_converge_is_not_registered() {
    let world = embedded().await;
    let hasty = LogisticParams { max_iterations: 1, ..LogisticParams::default() }.check().unwrap();
    let job = TrainingJob::from_dataset("hasty", two_classes())
        .algorithm(martello_trainer::Algorithm::LogisticRegression(hasty));
    let error = fails(&world, job, ErrorKind::NotConverged).await;
    assert!(error.to_string().contains("away from the minimum"), "{error}");
}

#[tokio::test]
async fn names_that_the_registry_refuses_leave_no_run_behind() {
    let world = embedded().await;
    for job in [
        TrainingJob::from_dataset("a/b", line(1.0)),
        TrainingJob::from_dataset("", line(1.0)),
        TrainingJob::from_dataset("line", line(1.0)).alias(Some("latest")),
    ] {
        let error = job.run(&world.registry).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidParameter);
        assert!(world.runs(job.model_name()).await.is_empty());
    }
}

#[tokio::test]
async fn artifacts_that_cannot_be_written_fail_the_run_and_the_next_one_succeeds() {
    let world = embedded().await;
    let artifacts = world.folder.path().join("registry/artifacts");
    let aside = world.folder.path().join("aside");
    std::fs::rename(&artifacts, &aside).unwrap();
    // A file where the folder should be: unlike permissions it stops the superuser as well.
    std::fs::write(&artifacts, "in the way").unwrap();
    let job = TrainingJob::from_dataset("line", line(1.0));
    let error = fails(&world, job.clone(), ErrorKind::Registry).await;
    assert!(error.source().is_some());
    assert!(world.load("models:/line/Production").await.is_err());

    std::fs::remove_file(&artifacts).unwrap();
    std::fs::rename(&aside, &artifacts).unwrap();
    job.run(&world.registry).await.unwrap();
    assert!(world.load("models:/line/Production").await.is_ok());
    let mut statuses: Vec<_> = world.runs("line").await.into_iter().map(|run| run.status.as_str()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["FAILED", "FINISHED"]);
}
