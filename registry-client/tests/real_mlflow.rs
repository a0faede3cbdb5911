//! What this crate promises about an MLflow server, checked against a real one.
//!
//! `.ci/real-servers` starts the servers and sets `MARTELLO_TEST_MLFLOW` to the address of one; without it, each test says that it
//! was skipped.
#![cfg(feature = "rest")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod testkit;

use martello_registry_client::rest::RestOptions;
use martello_registry_client::{NewModel, NewVersion, Query, Registry, VersionField};

fn server() -> Option<Registry> {
    let Ok(address) = std::env::var("MARTELLO_TEST_MLFLOW") else {
        eprintln!("SKIPPED: MARTELLO_TEST_MLFLOW names no server; .ci/real-servers starts one");
        return None;
    };
    Some(Registry::mlflow(&address, RestOptions::from_env().unwrap()).unwrap())
}

#[tokio::test]
async fn a_real_server_conforms() {
    let Some(registry) = server() else { return };
    testkit::conformance(&registry).await;
}

/// The server loses most of these races against itself and says so with errors of several kinds.
#[tokio::test]
async fn creations_at_the_same_time_make_one_version_each() {
    let Some(registry) = server() else { return };
    let name = testkit::unique("raced");
    registry.models().create_model(NewModel::named(&name)).await.unwrap();
    let mut creations = tokio::task::JoinSet::new();
    for at in 0..24 {
        let (registry, name) = (registry.clone(), name.clone());
        creations.spawn(async move {
            let new = NewVersion {
                name,
                source: "s3://nowhere/model".into(),
                request_id: Some(format!("request-{at}")),
                ..NewVersion::default()
            };
            registry.models().create_version(new).await.unwrap().version
        });
    }
    let mut versions = creations.join_all().await;
    versions.sort_unstable();
    assert_eq!(versions, (1..=24).collect::<Vec<u32>>());
    let stored = registry
        .models()
        .search_versions(&Query::new().equals(VersionField::Name, name.as_str()))
        .await
        .unwrap();
    assert_eq!(stored.items.len(), 24);
}

#[tokio::test]
async fn an_alias_that_is_moved_by_many_points_to_one_of_them() {
    let Some(registry) = server() else { return };
    let name = testkit::unique("aliased");
    registry.models().create_model(NewModel::named(&name)).await.unwrap();
    for _ in 0..4 {
        let new =
            NewVersion { name: name.clone(), source: "s3://nowhere/model".into(), ..NewVersion::default() };
        registry.models().create_version(new).await.unwrap();
    }
    let moves = (0..12).map(|at| {
        let (registry, name) = (registry.clone(), name.clone());
        async move { registry.models().set_alias(&name, "champion", at % 4 + 1).await.unwrap() }
    });
    moves.collect::<tokio::task::JoinSet<()>>().join_all().await;
    let champion = registry.models().get_version_by_alias(&name, "champion").await.unwrap();
    assert!((1..=4).contains(&champion.version) && champion.aliases == ["champion"]);
}
