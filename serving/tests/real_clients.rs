//! Clients from PyPI, with their defaults, find in a replica the server that they were written for.
//!
//! Each needs a Python that has the client, named by an environment variable; without it the test says so and is skipped.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use std::process::Command;

use fixture::Sum;
use martello_serving::{Replica, Repository, ServedModel, Slot};

#[expect(clippy::print_stderr, reason = "whoever runs the tests should know what was not tested")]
async fn ask_with(python: &'static str, needs: &str, script: &'static str, arguments: &'static [&str]) {
    let Ok(program) = std::env::var(python) else {
        eprintln!("skipped {script}: set {python} to a Python that has {needs}");
        return;
    };
    let slot = Slot::holding(ServedModel::new("sum", Sum::of_three()).with_version(7));
    let builder = Replica::builder().slot(slot).repository(Repository::Controlled).listen("127.0.0.1:0");
    #[cfg(feature = "compression")]
    let builder = builder.layer(martello_serving::layers::decompress::layer());
    let replica = builder.bind().await.unwrap();
    let address = replica.local_addr().to_string();
    let served = tokio::spawn(replica.serve(std::future::pending()));
    let script = format!("{}/tests/interop/{script}", env!("CARGO_MANIFEST_DIR"));
    let run = move || Command::new(program).arg(script).arg(address).args(arguments).output().unwrap();
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout == b"fine\n", "{said}");
    served.abort();
}

#[tokio::test]
async fn tritonclient_is_served_with_its_defaults() {
    // Besides its defaults, the ways in which it compresses.
    let codings: &[&str] = if cfg!(feature = "compression") { &["gzip", "deflate"] } else { &[] };
    ask_with("MARTELLO_TRITONCLIENT_PYTHON", "tritonclient[http]", "tritonclient_defaults.py", codings).await;
}

#[tokio::test]
async fn the_client_of_mlflow_is_served() {
    ask_with("MARTELLO_MLFLOW_PYTHON", "mlflow", "mlflow_client.py", &[]).await;
}

#[tokio::test]
async fn the_kserve_sdk_is_served_in_both_protocols() {
    ask_with("MARTELLO_KSERVE_PYTHON", "kserve", "kserve_client.py", &[]).await;
}

#[tokio::test]
async fn the_batch_client_of_mlserver_is_served() {
    ask_with("MARTELLO_MLSERVER_PYTHON", "mlserver", "mlserver_infer.py", &[]).await;
}

#[tokio::test]
async fn what_tensorflow_serving_documents_is_served() {
    ask_with("MARTELLO_TF_PYTHON", "requests", "tensorflow_serving_rest.py", &[]).await;
}
