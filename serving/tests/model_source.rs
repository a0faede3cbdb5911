//! Models come from a registry: the right one is served, a moved stage is followed, a bad version stays out.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use std::path::Path;
use std::time::Duration;

use fixture::{PATIENCE, Running, get, post};
use martello_model_core::engine::LinearRegression;
use martello_model_core::flavor::{self, SaveOptions};
use martello_model_core::preprocessing::Encoder;
use martello_model_core::{Batch, Column, Model, NativeModel, Signature};
use martello_registry_client::{Cache, NewRun, Publication, Registry, Stage, WatchOptions};
use martello_serving::{ErrorKind, ModelSource, Replica, Slot, recall_into};

const NAME: &str = "doubler";
const URI: &str = "models:/doubler/Production";
const ROW: &str = r#"{"x":2}"#;

/// The files of a model that answers `coefficient * x`.
fn files(coefficient: f64, example: f64) -> Vec<(String, Vec<u8>)> {
    let signature = Signature::new(vec![Column::double("x")], vec![Column::double("y")]).unwrap();
    let encoder = Encoder::identity(&signature).unwrap();
    let engine = LinearRegression::new(vec![coefficient], 0.0).unwrap();
    let model = NativeModel::new(signature, encoder, engine).unwrap();
    let example = Batch::from_numbers(model.signature(), vec![example]).unwrap();
    let options = SaveOptions { input_example: Some(example), ..SaveOptions::default() };
    let files = flavor::save(&model, &options).unwrap();
    files.iter().map(|(path, bytes)| (path.to_owned(), bytes.to_vec())).collect()
}

/// Publishes a version without putting it in charge.
async fn publish_aside(registry: &Registry, files: Vec<(String, Vec<u8>)>) -> u32 {
    let experiment = registry.ensure_experiment("serving").await.unwrap();
    let run = registry.tracking().create_run(NewRun::in_experiment(&experiment.experiment_id)).await.unwrap();
    registry.publish(Publication::new(NAME, &run.run_id, files)).await.unwrap().version
}

async fn publish(registry: &Registry, files: Vec<(String, Vec<u8>)>) -> u32 {
    let version = publish_aside(registry, files).await;
    registry.promote(NAME, version, Stage::Production, None).await.unwrap();
    version
}

fn source(registry: &Registry, dir: &Path) -> ModelSource {
    ModelSource::new(registry.clone(), Cache::open(dir.join("cache")).unwrap(), URI.parse().unwrap())
}

async fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let condition = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, condition).await.unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test]
async fn a_moved_stage_is_followed_and_a_bad_version_stays_out() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path()).await.unwrap();
    assert_eq!(publish(&registry, files(2.0, 1.0)).await, 1);
    let slot = Slot::empty();
    let source = source(&registry, dir.path());
    source.load_into(&slot).await.unwrap();
    let replica = Running::start(Replica::builder().slot(slot.clone())).await;
    assert_eq!(replica.ask(post("/predict", ROW)).await.text(), r#"{"prediction":4.0}"#);

    let often = WatchOptions { interval: Duration::from_millis(5), ..WatchOptions::default() };
    let _following = source.follow(slot.clone(), often);
    let version = |slot: &Slot| slot.load().unwrap().version();
    let second = publish(&registry, files(3.0, 1.0)).await;
    wait_until("the second version comes into service", || version(&slot) == Some(second)).await;
    assert_eq!(replica.ask(post("/predict", ROW)).await.text(), r#"{"prediction":6.0}"#);

    // Finite coefficients that overflow on the model's own input example.
    let third = publish(&registry, files(1e300, 1e300)).await;
    wait_until("the third version is refused", || slot.refused().is_some()).await;
    assert_eq!(slot.refused().unwrap().uri, format!("models:/{NAME}/{third}"));
    assert_eq!(version(&slot), Some(second));
    let health = replica.ask(get("/health")).await;
    assert_eq!(health.status, 200);
    assert!(
        health.text().contains("the prediction for row 0 of the input example is not a finite number"),
        "{}",
        health.text()
    );
    assert_eq!(replica.ask(post("/predict", ROW)).await.text(), r#"{"prediction":6.0}"#);

    // Back to the version that never left.
    registry.promote(NAME, second, Stage::Production, None).await.unwrap();
    wait_until("the note of the refusal is gone", || slot.refused().is_none()).await;
    let health = replica.ask(get("/health")).await;
    assert_eq!(health.text(), r#"{"status":"ok","model_loaded":true}"#);
    assert_eq!(version(&slot), Some(second));

    let fourth = publish(&registry, files(5.0, 1.0)).await;
    wait_until("the fourth version comes into service", || version(&slot) == Some(fourth)).await;
    assert_eq!(slot.refused(), None);
}

#[tokio::test]
async fn a_version_that_could_not_be_brought_is_served_once_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path()).await.unwrap();
    publish(&registry, files(2.0, 1.0)).await;
    let slot = Slot::empty();
    let source = source(&registry, dir.path());
    source.load_into(&slot).await.unwrap();
    let often = WatchOptions { interval: Duration::from_millis(5), ..WatchOptions::default() };
    let _following = source.follow(slot.clone(), often);

    let second = publish_aside(&registry, files(3.0, 1.0)).await;
    let (artifacts, away) = (dir.path().join("artifacts"), dir.path().join("away"));
    std::fs::rename(&artifacts, &away).unwrap();
    registry.promote(NAME, second, Stage::Production, None).await.unwrap();
    wait_until("the failure is noted", || slot.refused().is_some()).await;
    assert_eq!(slot.load().unwrap().version(), Some(1));

    std::fs::rename(&away, &artifacts).unwrap();
    wait_until("the second version comes into service", || slot.load().unwrap().version() == Some(second))
        .await;
    assert_eq!(slot.refused(), None);
}

#[tokio::test]
async fn a_bad_promotion_and_a_restart_serve_the_last_good_version() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path()).await.unwrap();
    let good = publish(&registry, files(2.0, 1.0)).await;
    source(&registry, dir.path()).load_into(&Slot::empty()).await.unwrap();
    let bad = publish(&registry, files(1e300, 1e300)).await;

    let slot = Slot::empty();
    let source = source(&registry, dir.path());
    assert_eq!(source.load_into(&slot).await.unwrap_err().kind(), ErrorKind::WarmUp);
    assert_eq!(slot.load().unwrap().version(), Some(good));
    assert_eq!(slot.refused().unwrap().uri, format!("models:/{NAME}/{bad}"));
    let replica = Running::start(Replica::builder().slot(slot.clone())).await;
    assert_eq!(replica.ask(post("/predict", ROW)).await.text(), r#"{"prediction":4.0}"#);

    // The registry is asked on, and what it has refused is not tried again and again.
    let often = WatchOptions { interval: Duration::from_millis(5), ..WatchOptions::default() };
    let _following = source.follow(slot.clone(), often);
    let third = publish(&registry, files(3.0, 1.0)).await;
    wait_until("the next version comes into service", || slot.load().unwrap().version() == Some(third)).await;
    let metrics = replica.ask(get("/metrics")).await;
    let refusals = r#"martello_model_refusals_total{model="doubler"} 1"#;
    assert!(metrics.text().lines().any(|line| line == refusals), "{}", metrics.text());
}

#[tokio::test]
async fn the_cache_alone_is_enough_to_serve() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path()).await.unwrap();
    let (uri, cache) = (URI.parse().unwrap(), Cache::open(dir.path().join("cache")).unwrap());
    let slot = Slot::empty();
    let error = recall_into(&cache, registry.uri(), &uri, &slot).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fetch);

    let good = publish(&registry, files(2.0, 1.0)).await;
    source(&registry, dir.path()).load_into(&Slot::empty()).await.unwrap();
    recall_into(&cache, registry.uri(), &uri, &slot).await.unwrap();
    assert_eq!(slot.load().unwrap().version(), Some(good));

    // What the stage last meant does not work: then what last did.
    publish(&registry, files(1e300, 1e300)).await;
    source(&registry, dir.path()).load_into(&Slot::empty()).await.unwrap_err();
    let slot = Slot::empty();
    recall_into(&cache, registry.uri(), &uri, &slot).await.unwrap();
    assert_eq!(slot.load().unwrap().version(), Some(good));
}

#[tokio::test]
async fn what_cannot_be_served_is_an_error_that_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path()).await.unwrap();
    let source = source(&registry, dir.path());
    let slot = Slot::empty();
    assert_eq!(source.load_into(&slot).await.unwrap_err().kind(), ErrorKind::Fetch);

    publish(&registry, vec![("MLmodel".to_owned(), b"flavors: {}\n".to_vec())]).await;
    assert_eq!(source.load_into(&slot).await.unwrap_err().kind(), ErrorKind::Load);

    let mut truncated = files(2.0, 1.0);
    let data = truncated.iter_mut().find(|(path, _)| path == "model.json").unwrap();
    data.1.truncate(data.1.len() / 2);
    publish(&registry, truncated).await;
    let error = source.load_into(&slot).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Load);
    assert!(slot.is_empty());
    assert!(slot.refused().unwrap().reason.contains("model.json"), "{:?}", slot.refused());
}
