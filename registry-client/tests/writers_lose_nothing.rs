//! Several processes and tasks write to one file: versions are unique, none is lost, and nobody sees a lock.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use martello_registry_client::{
    ExistingVersions, NewModel, NewVersion, Query, Registry, Stage, VersionField,
};

const WRITERS: usize = 8;
const EACH: usize = 25;

/// Tells this test's own binary to be a writer.
const FOLDER: &str = "MARTELLO_TEST_WRITE_INTO";

async fn write(registry: &Registry, writer: &str, versions: usize) {
    for at in 0..versions {
        let mut new =
            NewVersion { name: "shared".into(), source: "file:///nowhere".into(), ..NewVersion::default() };
        new.request_id = Some(format!("{writer}-{at}"));
        registry.models().create_version(new).await.unwrap();
    }
}

async fn assert_complete(registry: &Registry, expected: usize) {
    let query = Query::new().equals(VersionField::Name, "shared").page_size(1000);
    let versions = registry.models().search_versions(&query).await.unwrap().items;
    let numbers: BTreeSet<_> = versions.iter().map(|it| it.version as usize).collect();
    assert_eq!(numbers, (1..=expected).collect());
    let requests: BTreeSet<_> = versions.iter().map(|it| it.tags["mt.request_id"].clone()).collect();
    assert_eq!(requests.len(), expected);
}

/// One of the writers. Does nothing in an ordinary test run.
#[tokio::test]
async fn writer_process() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let registry = Registry::embedded(folder).await.unwrap();
    write(&registry, &std::process::id().to_string(), EACH).await;
}

#[test]
fn processes_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let registry = runtime.block_on(Registry::embedded(dir.path())).unwrap();
    runtime.block_on(registry.models().create_model(NewModel::named("shared"))).unwrap();
    let children: Vec<_> = (0..WRITERS)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "writer_process", "--test-threads=1"])
                .env(FOLDER, dir.path())
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    runtime.block_on(assert_complete(&registry, WRITERS * EACH));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handles_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let folder = dir.path().to_owned();
        writers.push(tokio::spawn(async move {
            let registry = Registry::embedded(folder).await.unwrap();
            let _ = registry.models().create_model(NewModel::named("shared")).await;
            write(&registry, &writer.to_string(), EACH).await;
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let registry = Registry::embedded(dir.path()).await.unwrap();
    assert_complete(&registry, WRITERS * EACH).await;
}

/// MLflow's own server leaves several versions in Production when transitions race.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_promotions_leave_one_version_in_charge() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path()).await.unwrap();
    registry.models().create_model(NewModel::named("shared")).await.unwrap();
    write(&registry, "one", WRITERS).await;
    let promotions: Vec<_> = (1..=WRITERS as u32)
        .map(|version| {
            let folder = dir.path().to_owned();
            tokio::spawn(async move {
                let registry = Registry::embedded(folder).await.unwrap();
                let archive = ExistingVersions::Archive;
                registry.models().transition_stage("shared", version, Stage::Staging, archive).await.unwrap();
                registry.promote("shared", version, Stage::Production, Some("champion")).await.unwrap();
            })
        })
        .collect();
    for promotion in promotions {
        promotion.await.unwrap();
    }
    let query = Query::new().equals(VersionField::Name, "shared");
    let versions = registry.models().search_versions(&query).await.unwrap().items;
    let in_charge: Vec<_> = versions.iter().filter(|it| it.stage == Stage::Production).collect();
    assert_eq!(in_charge.len(), 1);
    assert_eq!(in_charge[0].aliases, ["champion"]);
    assert_eq!(versions.iter().filter(|it| it.stage == Stage::Archived).count(), WRITERS - 1);
}
