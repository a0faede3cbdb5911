//! Large files go past a real server's artifact proxy to the S3 behind it and come from there; MLflow's Python client is the oracle.
//!
//! `.ci/real-servers` starts the servers and sets `MARTELLO_TEST_MLFLOW_BEFORE_S3` to MLflow's address and `MARTELLO_TEST_PYTHON` to a
//! Python with MLflow; without them, the test says that it was skipped.
#![cfg(feature = "rest")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::future::poll_fn;
use std::path::Path;
use std::process::Command;

use martello_registry_client::rest::{MultipartOptions, PassBy, RestOptions};
use martello_registry_client::{
    ArtifactPath, Content, Digest, ErrorKind, Location, NewRun, PutOptions, Registry,
};

/// The least that S3 takes for a part that is not the last.
const PART: u64 = 5 << 20;

const UP: &str = "import sys, mlflow; mlflow.MlflowClient().log_artifact(sys.argv[1], sys.argv[2], 'python')";
const DOWN: &str =
    "import sys, mlflow; mlflow.artifacts.download_artifacts(artifact_uri=sys.argv[1], dst_path=sys.argv[2])";

struct Setting {
    registry: Registry,
    server: String,
    python: String,
}

fn setting() -> Option<Setting> {
    let variables = (std::env::var("MARTELLO_TEST_MLFLOW_BEFORE_S3"), std::env::var("MARTELLO_TEST_PYTHON"));
    let (Ok(server), Ok(python)) = variables else {
        eprintln!(
            "SKIPPED: MARTELLO_TEST_MLFLOW_BEFORE_S3 and MARTELLO_TEST_PYTHON are not set; .ci/real-servers sets them"
        );
        return None;
    };
    let multipart = MultipartOptions {
        upload: PassBy::Offered,
        download: PassBy::Offered,
        upload_minimum: PART,
        upload_part_bytes: PART,
        download_part_bytes: 1 << 20,
        ..MultipartOptions::default()
    };
    let options = RestOptions { multipart, ..RestOptions::from_env().unwrap() };
    Some(Setting { registry: Registry::mlflow(&server, options).unwrap(), server, python })
}

impl Setting {
    async fn python(&self, script: &str, arguments: &[&str], passes_by: &str) {
        let mut command = Command::new(&self.python);
        command.arg("-c").arg(script).args(arguments).env("MLFLOW_TRACKING_URI", &self.server);
        command.env("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", passes_by);
        command.env("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", passes_by);
        command
            .env("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "1")
            .env("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", PART.to_string());
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    async fn get(&self, root: &Location, path: &ArtifactPath) -> Vec<u8> {
        let mut stream = self.registry.artifacts().get(root, path).await.unwrap();
        let mut all = Vec::new();
        while let Some(piece) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
            all.extend_from_slice(&piece.unwrap());
        }
        all
    }
}

fn written(folder: &Path) -> (Content, Vec<u8>) {
    let bytes: Vec<u8> =
        (0..(2 * PART + 12_345) as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let file = folder.join("weights ü.bin");
    std::fs::write(&file, &bytes).unwrap();
    (Content::File(file), bytes)
}

#[tokio::test]
async fn python_reads_what_went_past_the_proxy_and_its_parts_are_read() {
    let Some(setting) = setting() else { return };
    let artifacts = setting.registry.artifacts();
    let run = setting.registry.tracking().create_run(NewRun::in_experiment("0")).await.unwrap();
    let root: Location = run.artifact_uri.parse().unwrap();
    let path: ArtifactPath = "rust/weights ü.bin".parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (content, bytes) = written(dir.path());

    let wrong = PutOptions { blake3: Some(Digest::of(b"something else")), ..PutOptions::default() };
    let refused = artifacts.put(&root, &path, content.clone(), wrong).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Integrity);
    assert_eq!(artifacts.stat(&root, &path).await.unwrap_err().kind(), ErrorKind::NotFound);

    let sent = artifacts.put(&root, &path, content, PutOptions::default()).await.unwrap();
    assert_eq!(sent, Digest::of(&bytes));
    assert!(setting.get(&root, &path).await == bytes, "rust reads other bytes than it wrote");
    for passes_by in ["false", "true"] {
        let to = dir.path().join(passes_by);
        let uri = format!("{}/rust", run.artifact_uri);
        setting.python(DOWN, &[&uri, to.to_str().unwrap()], passes_by).await;
        let read = std::fs::read(to.join("rust/weights ü.bin")).unwrap();
        assert!(read == bytes, "python reads other bytes, past the proxy: {passes_by}");
    }

    let file = dir.path().join("weights ü.bin");
    setting.python(UP, &[&run.run_id, file.to_str().unwrap()], "true").await;
    let path: ArtifactPath = "python/weights ü.bin".parse().unwrap();
    assert!(setting.get(&root, &path).await == bytes, "rust reads other bytes than python wrote");
}
