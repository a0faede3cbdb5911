//! The job `linear_regression` is the one that it replaces: data, split, names, metrics, answers.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod support;

use martello_model_core::{Batch, Predictions};
use martello_registry_client::RunStatus;
use martello_trainer::{FinalFit, Outcome, Stage, TrainingJob};
use support::{embedded, trained};

const NAME: &str = "linear_regression_model";

async fn answer(world: &support::Embedded, features: [f64; 3]) -> f64 {
    let model = world.load("models:/linear_regression_model/Production").await.unwrap().model;
    let batch = Batch::from_numbers(model.signature(), features.to_vec()).unwrap();
    let Predictions::Numbers(numbers) = model.predict(&batch).unwrap() else { panic!("a regression") };
    numbers[0]
}

fn assert_close(got: f64, expected: f64) {
    assert!((got - expected).abs() <= 1e-11 * expected.abs(), "{got} instead of {expected}");
}

#[tokio::test]
async fn the_run_records_what_the_old_job_recorded() {
    let world = embedded().await;
    TrainingJob::linear_regression().run(&world.registry).await.unwrap();
    let runs = world.runs("linear_regression_prediction").await;
    let [run] = runs.as_slice() else { panic!("one run, not {}", runs.len()) };
    assert_eq!(run.status, RunStatus::Finished);
    assert!(run.end_time >= run.start_time);
    let params: Vec<(&str, &str)> = run.params.iter().map(|(key, value)| (&**key, &**value)).collect();
    let expected =
        [("model_type", "LinearRegression"), ("n_features", "3"), ("test_size", "20"), ("train_size", "80")];
    assert_eq!(params, expected);
    // mean_squared_error(y_test, model.predict(X_test)), scikit-learn 1.9.1
    assert_eq!(run.metrics.keys().collect::<Vec<_>>(), ["mse", "rmse"]);
    assert_close(run.metrics["mse"], 0.01238468082479521);
    assert_close(run.metrics["rmse"], 0.1112864808716459);
}

#[tokio::test]
async fn the_model_is_in_production_and_champion() {
    let world = embedded().await;
    let outcome = TrainingJob::linear_regression().run(&world.registry).await.unwrap();
    let version = trained(&outcome);
    assert_eq!((version.name.as_str(), version.version, version.stage), (NAME, 1, Stage::Production));
    assert_eq!(world.versions(NAME).await.as_slice(), std::slice::from_ref(version));
    let champion = world.registry.models().get_version_by_alias(NAME, "champion").await.unwrap();
    assert_eq!(champion.version, 1);
    for uri in ["models:/linear_regression_model/Production", "models:/linear_regression_model@champion"] {
        assert_eq!(world.load(uri).await.unwrap().run_id, version.run_id);
    }
}

#[tokio::test]
async fn the_served_model_answers_what_clients_of_the_old_system_were_promised() {
    let world = embedded().await;
    TrainingJob::linear_regression().run(&world.registry).await.unwrap();
    let got = answer(&world, [5.3, 2.1, 0.8]).await;
    assert!(got.to_string().starts_with("321.307"), "{got}");
    // LinearRegression().fit(X, y).predict([[5.3, 2.1, 0.8]]) over all 100 rows, scikit-learn 1.9.1
    assert!((got - 321.30707282141884).abs() < 1e-11, "{got}");
}

#[tokio::test]
async fn the_fit_on_the_training_rows_can_be_registered_instead() {
    let world = embedded().await;
    let job = TrainingJob::linear_regression().final_fit(FinalFit::TrainRows);
    job.run(&world.registry).await.unwrap();
    // LinearRegression().fit(X_train, y_train).predict([[5.3, 2.1, 0.8]]), scikit-learn 1.9.1
    assert_close(answer(&world, [5.3, 2.1, 0.8]).await, 321.325371312983);
}

#[tokio::test]
async fn the_model_folder_has_signature_and_input_example() {
    let world = embedded().await;
    TrainingJob::linear_regression().run(&world.registry).await.unwrap();
    let loaded = world.load("models:/linear_regression_model/1").await.unwrap();
    let names: Vec<_> = loaded.model.signature().inputs().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["feature1", "feature2", "feature3"]);
    assert!(loaded.model.signature().inputs().iter().all(|column| column.required));
    // X_train[0] of train_test_split(..., random_state=42)
    let example = loaded.input_example.unwrap();
    for (got, expected) in
        example.numbers().iter().zip([-0.6451197546051243, 1.5380365664659692, 0.36139560550841393])
    {
        assert_close(*got, expected);
    }
    assert_eq!(example.rows(), 1);
    let created = loaded.utc_time_created.unwrap();
    assert!(created.starts_with("20") && created.len() == "2026-11-24 22:20:57.123456".len(), "{created}");
}

#[tokio::test]
async fn a_second_run_finds_production_and_skips() {
    let world = embedded().await;
    TrainingJob::linear_regression().run(&world.registry).await.unwrap();
    let again = TrainingJob::linear_regression().run(&world.registry).await.unwrap();
    let Outcome::Skipped { version, .. } = again else { panic!("{again:?}") };
    assert_eq!((version.version, version.stage), (1, Stage::Production));
    assert_eq!(world.versions(NAME).await.len(), 1);
    assert_eq!(world.runs("linear_regression_prediction").await.len(), 1);
}

#[tokio::test]
async fn jobs_that_start_together_leave_one_version_in_production() {
    let world = embedded().await;
    let start = || {
        let registry = world.registry.clone();
        tokio::spawn(async move { TrainingJob::linear_regression().run(&registry).await })
    };
    for job in [start(), start(), start()] {
        job.await.unwrap().unwrap();
    }
    let versions = world.versions(NAME).await;
    let in_production: Vec<_> =
        versions.iter().filter(|version| version.stage == Stage::Production).collect();
    assert_eq!(in_production.len(), 1, "{versions:?}");
    let champion = world.registry.models().get_version_by_alias(NAME, "champion").await.unwrap();
    assert_eq!(champion.version, in_production[0].version);
}
