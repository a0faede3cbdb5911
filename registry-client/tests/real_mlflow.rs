//! What this crate promises about an MLflow server, checked against a real one.
//!
//! `.ci/real-servers` starts the servers and sets `MARTELLO_TEST_MLFLOW` to the address of one; without it, each test says that it
//! was skipped.
#![cfg(feature = "rest")]

mod testkit;

use martello_registry_client::Registry;
use martello_registry_client::rest::RestOptions;

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
