//! A database that cannot be used says which file, why, and what to do; nothing is written.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::path::Path;
use std::time::Duration;

use martello_registry_client::{EmbeddedOptions, Error, ErrorKind, NewModel, NewVersion, Registry};

const IMPATIENT: EmbeddedOptions = EmbeddedOptions { busy_timeout: Duration::from_millis(50) };

fn execute(dir: &Path, sql: &str) {
    rusqlite::Connection::open(dir.join("mlflow.db")).unwrap().execute_batch(sql).unwrap();
}

#[track_caller]
fn assert_says(error: &Error, kind: ErrorKind, words: &[&str]) {
    assert_eq!(error.kind(), kind, "{error:?}");
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} is missing in: {error}");
    }
}

#[tokio::test]
async fn a_locked_database_is_a_timeout_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mlflow.db");
    let registry = Registry::embedded_with(&file, IMPATIENT).await.unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = registry.models().create_model(NewModel::named("fraud")).await.unwrap_err();
    assert_says(&error, ErrorKind::Timeout, &["mlflow.db", "locked"]);
    assert!(error.is_retryable());
    assert!(
        registry.models().get_model("fraud").await.unwrap_err().is_not_found(),
        "readers do not wait for a writer"
    );
    other.execute_batch("ROLLBACK").unwrap();
    registry.models().create_model(NewModel::named("fraud")).await.unwrap();
}

#[tokio::test]
async fn an_unknown_revision_is_refused_at_once_and_while_running() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path()).await.unwrap();
    registry.models().create_model(NewModel::named("fraud")).await.unwrap();
    execute(dir.path(), "UPDATE alembic_version SET version_num = 'ffffffffffff'");
    let words = ["ffffffffffff", "mlflow db upgrade", "REST"];
    let opened = Registry::embedded(dir.path()).await.unwrap_err();
    assert_says(&opened, ErrorKind::SchemaUnsupported, &words);
    let new = NewVersion { name: "fraud".into(), source: "file:///nowhere".into(), ..NewVersion::default() };
    assert_says(
        &registry.models().create_version(new).await.unwrap_err(),
        ErrorKind::SchemaUnsupported,
        &words,
    );
    assert_says(
        &registry.models().get_model("fraud").await.unwrap_err(),
        ErrorKind::SchemaUnsupported,
        &words,
    );
    execute(dir.path(), "UPDATE alembic_version SET version_num = '5b0e9adcef9c'");
    assert!(registry.models().get_model("fraud").await.unwrap().latest_versions.is_empty());
}

#[tokio::test]
async fn what_is_no_registry_is_left_alone() {
    let check = async |prepare: &dyn Fn(&Path), kind: ErrorKind| {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let before = std::fs::read(dir.path().join("mlflow.db")).unwrap_or_default();
        let error = Registry::embedded_with(dir.path().join("mlflow.db"), IMPATIENT).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert_eq!(std::fs::read(dir.path().join("mlflow.db")).unwrap_or_default(), before, "{error}");
    };
    let text =
        |dir: &Path| std::fs::write(dir.join("mlflow.db"), "not a database at all ".repeat(100)).unwrap();
    check(&text, ErrorKind::Integrity).await;
    check(&|dir| std::fs::create_dir(dir.join("mlflow.db")).unwrap(), ErrorKind::Unavailable).await;
    let foreign = |dir: &Path| execute(dir, "PRAGMA journal_mode = WAL; CREATE TABLE guests (name)");
    check(&foreign, ErrorKind::SchemaUnsupported).await;
    check(&|dir| std::fs::write(dir.join("artifacts"), "a file").unwrap(), ErrorKind::Unavailable).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "in the way").unwrap();
    let error = Registry::embedded(dir.path().join("file/registry")).await.unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
