//! What is special about an MLflow server whose records are in MySQL or MariaDB.
//!
//! `.ci/real-servers` starts the servers and sets `MARTELLO_TEST_MLFLOW` to the address of one and `MARTELLO_TEST_SQL` to a program
//! that runs a statement on its database; without them, each test says that it was skipped.
#![cfg(feature = "rest")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

#[allow(dead_code, reason = "each test file uses its part")]
mod testkit;

use std::process::Command;
use std::time::Duration;

use martello_registry_client::rest::{HttpOptions, RestOptions};
use martello_registry_client::{
    Cache, ErrorKind, ModelUri, NewModel, NewRun, Publication, Query, Registry, RunBatch, VersionField,
    VersionStatus,
};

struct Sql(String);

impl Sql {
    fn run(&self, statement: &str) -> String {
        let output = Command::new(&self.0).arg(statement).output().unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn server() -> Option<(Registry, Sql)> {
    let (Ok(address), Ok(sql)) = (std::env::var("MARTELLO_TEST_MLFLOW"), std::env::var("MARTELLO_TEST_SQL"))
    else {
        eprintln!(
            "SKIPPED: MARTELLO_TEST_MLFLOW and MARTELLO_TEST_SQL name no server; .ci/real-servers starts one"
        );
        return None;
    };
    Some((Registry::mlflow(&address, RestOptions::from_env().unwrap()).unwrap(), Sql(sql)))
}

#[tokio::test]
async fn a_version_that_is_not_ready_is_waited_for_and_never_served() {
    let Some((registry, sql)) = server() else { return };
    let name = testkit::unique("pending");
    let run = testkit::run(&registry).await;
    let publication = Publication::new(&name, &run.run_id, testkit::files());
    registry.publish(publication.clone()).await.unwrap();
    let set = |status: &str| {
        sql.run(&format!("UPDATE model_versions SET status = '{status}' WHERE name = '{name}'"));
    };
    let uri: ModelUri = format!("models:/{name}/1").parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path()).unwrap();

    set("PENDING_REGISTRATION");
    let version = registry.models().get_version(&name, 1).await.unwrap();
    assert_eq!(version.status, VersionStatus::PendingRegistration);
    // The server would hand the files out.
    let error = registry.fetch(&uri, &cache).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let waiting = tokio::spawn({
        let (registry, publication) = (registry.clone(), publication.clone());
        async move { registry.publish(publication).await }
    });
    let early = tokio::time::timeout(Duration::from_secs(2), async {
        while !waiting.is_finished() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(early.await.is_err(), "a version that is not ready is not handed out");
    set("READY");
    assert_eq!(waiting.await.unwrap().unwrap().status, VersionStatus::Ready);
    registry.fetch(&uri, &cache).await.unwrap();

    set("FAILED_REGISTRATION");
    let error = registry.publish(publication).await.unwrap_err();
    assert!(error.to_string().contains("FAILED_REGISTRATION"), "{error:?}");
}

#[tokio::test]
async fn letters_of_all_alphabets_are_kept() {
    let Some((registry, _)) = server() else { return };
    let name = testkit::unique("Größe-模型-🦀");
    let model = NewModel { description: Some("naïve 🦀\n二行目".into()), ..NewModel::named(&name) };
    registry.models().create_model(model).await.unwrap();
    let run = testkit::run(&registry).await;
    let mut publication = Publication::new(&name, &run.run_id, testkit::files());
    publication.tags.insert("mannschaft".into(), "Prüfung 🦀".into());
    let version = registry.publish(publication).await.unwrap();
    assert_eq!(version.tags["mannschaft"], "Prüfung 🦀");
    let found = registry.models().get_model(&name).await.unwrap();
    assert_eq!(
        (found.name.as_str(), found.description.as_deref()),
        (name.as_str(), Some("naïve 🦀\n二行目"))
    );
    let query = Query::new().equals(VersionField::Name, name.as_str());
    assert_eq!(registry.models().search_versions(&query).await.unwrap().items.len(), 1);
}

/// The usual collations of MySQL tell neither cases nor accents apart, whatever SQLite does.
#[tokio::test]
async fn names_that_the_database_takes_for_one_are_one() {
    let Some((registry, _)) = server() else { return };
    let name = testkit::unique("cased");
    registry.models().create_model(NewModel::named(&name)).await.unwrap();
    let capitals = name.to_uppercase();
    let error = registry.models().create_model(NewModel::named(&capitals)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error:?}");

    let run = testkit::run(&registry).await;
    let both = RunBatch::new().param("rate", 1).param("RATE", 2);
    let error = registry.tracking().log_batch(&run.run_id, both).await.unwrap_err();
    assert!(!error.is_not_found() && !error.is_outage(), "the caller is at fault, not the server: {error:?}");
    registry.tracking().log_batch(&run.run_id, RunBatch::new().param("rate", 1)).await.unwrap();
}

#[tokio::test]
async fn connections_that_the_database_drops_are_survived() {
    let Some((registry, sql)) = server() else { return };
    let http = HttpOptions { backoff: Duration::from_millis(50), ..HttpOptions::default() };
    let address = std::env::var("MARTELLO_TEST_MLFLOW").unwrap();
    let patient = Registry::mlflow(&address, RestOptions { http, ..RestOptions::default() }).unwrap();
    let name = testkit::unique("dropped");
    for at in 1..=5 {
        // This server's only: others share the database server.
        let ids = sql
            .run("SELECT id FROM information_schema.processlist WHERE user = 'mlflow' AND db = DATABASE()");
        for id in ids.lines() {
            // It may have ended by itself.
            let _ = Command::new(&sql.0).arg(format!("KILL {id}")).output().unwrap();
        }
        let run = patient.tracking().create_run(NewRun::in_experiment("0")).await.unwrap();
        let version = patient.publish(Publication::new(&name, &run.run_id, testkit::files())).await.unwrap();
        assert_eq!(version.version, at);
    }
    let query = Query::new().equals(VersionField::Name, name.as_str());
    assert_eq!(registry.models().search_versions(&query).await.unwrap().items.len(), 5, "none twice");
}
