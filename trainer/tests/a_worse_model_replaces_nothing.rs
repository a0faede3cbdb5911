//! Retraining archives what it replaces, and a worse model replaces nothing.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod support;

use martello_registry_client::{NewRun, Publication};
use martello_trainer::{Outcome, PromotionOutcome, PromotionPolicy, Stage, TrainingJob, WhenPresent};
use support::{Embedded, embedded, line, trained, two_classes};

fn retrain(spoilt: f64) -> TrainingJob {
    TrainingJob::from_dataset("line", line(spoilt)).when_present(WhenPresent::Retrain)
}

async fn run(world: &Embedded, job: &TrainingJob) -> (u32, Stage, PromotionOutcome) {
    match job.run(&world.registry).await.unwrap() {
        Outcome::Trained { version, promotion, .. } => (version.version, version.stage, promotion),
        other => panic!("nothing was trained: {other:?}"),
    }
}

async fn stages(world: &Embedded) -> Vec<(u32, Stage)> {
    let versions = world.versions("line").await;
    let mut stages: Vec<_> = versions.iter().map(|version| (version.version, version.stage)).collect();
    stages.sort_unstable_by_key(|(version, _)| *version);
    stages
}

async fn champion(world: &Embedded) -> u32 {
    world.registry.models().get_version_by_alias("line", "champion").await.unwrap().version
}

#[tokio::test]
async fn retraining_archives_the_version_that_it_replaces() {
    let world = embedded().await;
    run(&world, &retrain(5.0)).await;
    let (version, stage, promotion) = run(&world, &retrain(1.0)).await;
    assert_eq!((version, stage, promotion), (2, Stage::Production, PromotionOutcome::Promoted));
    assert_eq!(stages(&world).await, [(1, Stage::Archived), (2, Stage::Production)]);
    assert_eq!(champion(&world).await, 2);
}

#[tokio::test]
async fn an_equally_good_model_is_promoted() {
    let world = embedded().await;
    run(&world, &retrain(1.0)).await;
    assert_eq!(run(&world, &retrain(1.0)).await.2, PromotionOutcome::Promoted);
}

#[tokio::test]
async fn a_worse_model_is_registered_but_does_not_take_the_stage() {
    let world = embedded().await;
    run(&world, &retrain(1.0)).await;
    let (version, stage, promotion) = run(&world, &retrain(5.0)).await;
    assert_eq!((version, stage), (2, Stage::None));
    let PromotionOutcome::KeptPresent { present, metric, present_value, new_value, .. } = promotion else {
        panic!("{promotion:?}")
    };
    assert_eq!((present, metric), (1, "rmse"));
    assert!(present_value.unwrap() < new_value);
    assert_eq!(stages(&world).await, [(1, Stage::Production), (2, Stage::None)]);
    assert_eq!(champion(&world).await, 1);
}

#[tokio::test]
async fn a_worse_model_takes_the_stage_if_that_is_the_policy() {
    let world = embedded().await;
    run(&world, &retrain(1.0)).await;
    run(&world, &retrain(5.0).promotion(PromotionPolicy::Always)).await;
    assert_eq!(stages(&world).await, [(1, Stage::Archived), (2, Stage::Production)]);
}

#[tokio::test]
async fn a_version_without_a_recorded_metric_is_not_replaced_unasked() {
    let world = embedded().await;
    let experiment = world.registry.ensure_experiment("elsewhere").await.unwrap();
    let other =
        world.registry.tracking().create_run(NewRun::in_experiment(experiment.experiment_id)).await.unwrap();
    let files = vec![("MLmodel".to_owned(), b"flavors: {}".to_vec())];
    let version = world.registry.publish(Publication::new("line", other.run_id, files)).await.unwrap();
    world.registry.promote("line", version.version, Stage::Production, None).await.unwrap();

    let (_, stage, promotion) = run(&world, &retrain(1.0)).await;
    assert_eq!(stage, Stage::None);
    assert!(matches!(promotion, PromotionOutcome::KeptPresent { present: 1, present_value: None, .. }));
}

#[tokio::test]
async fn a_classifier_is_compared_by_accuracy() {
    let world = embedded().await;
    let job = TrainingJob::from_dataset("classes", two_classes()).when_present(WhenPresent::Retrain);
    run(&world, &job).await;
    assert_eq!(run(&world, &job).await.2, PromotionOutcome::Promoted);
    assert_eq!(world.versions("classes").await[0].stage, Stage::Production);
}

#[tokio::test]
async fn stage_and_alias_can_be_chosen() {
    let world = embedded().await;
    let job = retrain(1.0).stage(Stage::Staging).alias(Some("challenger"));
    let outcome = job.run(&world.registry).await.unwrap();
    assert_eq!(trained(&outcome).stage, Stage::Staging);
    assert_eq!(world.registry.models().get_version_by_alias("line", "challenger").await.unwrap().version, 1);
    let unnamed = retrain(1.0).alias(None).run(&world.registry).await.unwrap();
    assert_eq!(trained(&unnamed).stage, Stage::Production);
    assert!(
        world.registry.models().get_version_by_alias("line", "champion").await.unwrap_err().is_not_found()
    );
}

#[tokio::test]
async fn a_version_that_was_never_promoted_does_not_count_as_present() {
    let world = embedded().await;
    let job = TrainingJob::from_dataset("line", line(1.0));
    // As after a crash between registering and promoting.
    let (_, stage, promotion) = run(&world, &job.clone().promotion(PromotionPolicy::Never)).await;
    assert_eq!((stage, promotion), (Stage::None, PromotionOutcome::NotAskedFor));
    assert!(world.load("models:/line/Production").await.unwrap_err().is_not_found());
    assert_eq!(run(&world, &job).await.0, 2, "the next run trains again");
    assert!(world.load("models:/line/Production").await.is_ok());
}
