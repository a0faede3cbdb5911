//! A watch tells every change once, goes on through an outage, and ends when it is dropped.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::path::Path;
use std::time::Duration;

use martello_registry_client::{
    ErrorKind, NewModel, NewVersion, Registry, Stage, Watch, WatchEvent, WatchOptions,
};

async fn registry(dir: &Path, versions: u32) -> Registry {
    let registry = Registry::embedded(dir).await.unwrap();
    registry.models().create_model(NewModel::named("fraud")).await.unwrap();
    for at in 1..=versions {
        let source = format!("file:///nowhere/{at}");
        let new = NewVersion { name: "fraud".into(), source, ..NewVersion::default() };
        registry.models().create_version(new).await.unwrap();
    }
    registry
}

async fn next_version(watch: &mut Watch) -> u32 {
    match watch.next().await {
        WatchEvent::PointsTo(resolved) => resolved.version.unwrap().version,
        other => panic!("expected a version: {other:?}"),
    }
}

/// As if a newer MLflow had upgraded the file: nothing can be read any more.
fn set_revision(dir: &Path, revision: &str) {
    let connection = rusqlite::Connection::open(dir.join("mlflow.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection.execute("UPDATE alembic_version SET version_num = ?1", [revision]).unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_change_is_told_once_and_an_outage_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path(), 3).await;
    registry.models().set_alias("fraud", "champion", 1).await.unwrap();
    let mut watch = registry.watch("models:/fraud@champion".parse().unwrap(), WatchOptions::default());
    assert_eq!(next_version(&mut watch).await, 1);

    // What leaves the model as it is, is no news.
    registry.models().tag_version("fraud", 1, "note", Some("x")).await.unwrap();
    registry.promote("fraud", 1, Stage::Production, None).await.unwrap();
    registry.models().set_alias("fraud", "champion", 2).await.unwrap();
    assert_eq!(next_version(&mut watch).await, 2);

    registry.models().delete_alias("fraud", "champion").await.unwrap();
    assert!(matches!(watch.next().await, WatchEvent::PointsToNothing));
    registry.models().set_alias("fraud", "champion", 2).await.unwrap();
    assert_eq!(next_version(&mut watch).await, 2);

    set_revision(dir.path(), "ffffffffffff");
    match watch.next().await {
        WatchEvent::Failed(error) => assert_eq!(error.kind(), ErrorKind::SchemaUnsupported),
        other => panic!("expected a failure: {other:?}"),
    }
    // An hour of failures is one event.
    assert!(tokio::time::timeout(Duration::from_secs(3600), watch.next()).await.is_err());
    set_revision(dir.path(), "5b0e9adcef9c");
    assert_eq!(next_version(&mut watch).await, 2, "after an outage, what is there is told again");
    registry.models().set_alias("fraud", "champion", 3).await.unwrap();
    assert_eq!(next_version(&mut watch).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_stage_is_watched_like_an_alias() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path(), 2).await;
    let mut watch = registry.watch("models:/fraud/Production".parse().unwrap(), WatchOptions::default());
    assert!(matches!(watch.next().await, WatchEvent::PointsToNothing));
    for version in [2, 1] {
        registry.promote("fraud", version, Stage::Production, None).await.unwrap();
        assert_eq!(next_version(&mut watch).await, version);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_seen_within_one_interval_and_its_jitter() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path(), 1).await;
    registry.models().set_alias("fraud", "champion", 1).await.unwrap();
    let options = WatchOptions { interval: Duration::from_secs(60), jitter: 0.5 };
    let mut watch = registry.watch("models:/fraud@champion".parse().unwrap(), options);
    assert_eq!(next_version(&mut watch).await, 1);
    registry.models().delete_alias("fraud", "champion").await.unwrap();
    // The paused clock runs ahead while the database works, so it is read only now.
    let before = tokio::time::Instant::now();
    assert!(matches!(watch.next().await, WatchEvent::PointsToNothing));
    assert!(before.elapsed() <= Duration::from_secs(90), "{:?}", before.elapsed());
}

/// A registry in a folder of its own whose model has this many versions, the last one as champion; as a copy would bring it.
async fn copy_with(versions: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let other = registry(dir.path(), versions).await;
    other.models().set_alias("fraud", "champion", versions).await.unwrap();
    drop(other);
    // The log is emptied when the last connection closes.
    while dir.path().join("mlflow.db-wal").exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    dir
}

#[tokio::test]
async fn a_database_that_is_deleted_or_replaced_is_noticed() {
    let dir = copy_with(1).await;
    let registry = Registry::embedded(dir.path()).await.unwrap();
    let options = WatchOptions { interval: Duration::from_millis(20), jitter: 0.0 };
    let mut watch = registry.watch("models:/fraud@champion".parse().unwrap(), options);
    assert_eq!(next_version(&mut watch).await, 1);

    for file in ["mlflow.db", "mlflow.db-wal", "mlflow.db-shm"] {
        std::fs::remove_file(dir.path().join(file)).unwrap();
    }
    match watch.next().await {
        WatchEvent::Failed(error) => {
            assert!(error.is_outage() && error.to_string().contains("deleted"), "{error}")
        }
        other => panic!("expected a failure: {other:?}"),
    }
    // What would be lost is not written, and no empty registry takes the place of the lost one.
    let error = registry.models().set_alias("fraud", "other", 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(!dir.path().join("mlflow.db").exists());

    let restored = copy_with(3).await;
    std::fs::rename(restored.path().join("mlflow.db"), dir.path().join("mlflow.db")).unwrap();
    assert_eq!(next_version(&mut watch).await, 3);
    registry.models().set_alias("fraud", "champion", 2).await.unwrap();
    assert_eq!(next_version(&mut watch).await, 2);
}
