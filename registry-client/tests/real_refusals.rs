//! Real servers that refuse: an MLflow server that asks who one is, and S3 that does not know the key.
//!
//! `.ci/real-servers` starts the servers. `MARTELLO_TEST_MLFLOW_AUTH` is the address of one with `--app-name basic-auth` whose
//! administrator is `admin`, with the password below, and which also knows `reader` with the same one; `MARTELLO_TEST_S3_ROOT` is a
//! location in a bucket that the environment has the key for. Without them, the tests say that they were skipped.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

#[allow(dead_code, reason = "each test file uses its part")]
mod testkit;

use martello_registry_client::rest::{Credentials, RestOptions};
use martello_registry_client::{
    ArtifactStore, ErrorKind, Location, NewModel, NewRun, PutOptions, Registry, S3Artifacts, S3Credentials,
    S3Options,
};

const PASSWORD: &str = "only-for-this-test";

fn registry(address: &str, credentials: Option<Credentials>) -> Registry {
    Registry::mlflow(address, RestOptions { credentials, ..RestOptions::default() }).unwrap()
}

#[tokio::test]
async fn a_server_with_users_lets_in_whom_it_knows_and_lets_do_what_they_may() {
    let Ok(address) = std::env::var("MARTELLO_TEST_MLFLOW_AUTH") else {
        eprintln!("SKIPPED: MARTELLO_TEST_MLFLOW_AUTH names no server; .ci/real-servers starts one");
        return;
    };
    let admin = registry(&address, Some(Credentials::basic("admin", PASSWORD)));
    let name = testkit::unique("guarded");
    admin.models().create_model(NewModel::named(&name)).await.unwrap();
    let run = admin.tracking().create_run(NewRun::in_experiment("0")).await.unwrap();

    let reader = registry(&address, Some(Credentials::basic("reader", PASSWORD)));
    assert_eq!(reader.models().get_model(&name).await.unwrap().name, name);
    assert_eq!(reader.tracking().get_run(&run.run_id).await.unwrap().run_id, run.run_id);
    let error = reader.models().describe_model(&name, "mine now").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
    let error = reader.tracking().delete_run(&run.run_id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");

    for stranger in [None, Some(Credentials::basic("admin", "wr0ng-s3cret"))] {
        let stranger = registry(&address, stranger);
        let error = stranger.models().get_model(&name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
        assert!(!format!("{error} {error:?} {stranger:?}").contains("wr0ng-s3cret"), "{error:?}");
    }
}

#[tokio::test]
async fn s3_that_does_not_know_the_key_refuses_at_once_and_keeps_nothing() {
    let Ok(root) = std::env::var("MARTELLO_TEST_S3_ROOT") else {
        eprintln!("SKIPPED: MARTELLO_TEST_S3_ROOT names no bucket; .ci/real-servers makes one");
        return;
    };
    let root: Location = root.parse().unwrap();
    let ours = S3Options::from_env().unwrap();
    let known = S3Artifacts::new(ours.clone()).unwrap();
    let path = format!("{}/weights", testkit::unique("refused")).parse().unwrap();
    for credentials in
        [S3Credentials::new("minioadmin", "wr0ng-s3cret"), S3Credentials::new("nobody", "wr0ng-s3cret")]
    {
        let stranger =
            S3Artifacts::new(S3Options { credentials: Some(credentials), ..ours.clone() }).unwrap();
        let error =
            stranger.put(&root, &path, b"secret".to_vec().into(), PutOptions::default()).await.unwrap_err();
        // A wrong signature and an unknown key; servers name the two differently.
        let refused = matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::PermissionDenied);
        assert!(refused, "{error:?}");
        assert!(!format!("{error} {error:?} {stranger:?}").contains("wr0ng-s3cret"), "{error:?}");
        let error = known.stat(&root, &path).await.unwrap_err();
        assert!(error.is_not_found(), "{error:?}");
    }
}
