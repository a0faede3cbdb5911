//! MLflow's Python client is the oracle: what one writes to a real server, the other reads, field by field.
//!
//! `.ci/real-servers` starts the server and sets `MARTELLO_TEST_MLFLOW` to its address and `MARTELLO_TEST_PYTHON` to a Python with
//! MLflow; without them, each test says that it was skipped.
#![cfg(feature = "rest")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::collections::BTreeMap;
use std::process::Command;

use martello_registry_client::rest::RestOptions;
use martello_registry_client::{
    Cache, Metric, ModelUri, ModelVersion, NewRun, Publication, Registry, Run, RunBatch, RunStatus, Stage,
    Timestamp,
};
use serde_json::{Value, json};

const SCRIPT: &str = include_str!("real_python.py");

struct Setting {
    registry: Registry,
    server: String,
    python: String,
}

fn setting() -> Option<Setting> {
    let (Ok(server), Ok(python)) =
        (std::env::var("MARTELLO_TEST_MLFLOW"), std::env::var("MARTELLO_TEST_PYTHON"))
    else {
        eprintln!(
            "SKIPPED: MARTELLO_TEST_MLFLOW and MARTELLO_TEST_PYTHON are not set; .ci/real-servers sets them"
        );
        return None;
    };
    let registry = Registry::mlflow(&server, RestOptions::from_env().unwrap()).unwrap();
    Some(Setting { registry, server, python })
}

impl Setting {
    /// Runs one step of the script; it prints one line of JSON.
    async fn python(&self, step: &str, arguments: &Value) -> Value {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new(&self.python);
        command.args(["-c", SCRIPT, step, &arguments.to_string()]).env("MLFLOW_TRACKING_URI", &self.server);
        command.current_dir(dir.path());
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{step}:\n{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(String::from_utf8(output.stdout).unwrap().lines().last().unwrap()).unwrap()
    }

    async fn contents(&self, uri: &str) -> BTreeMap<String, String> {
        let dir = tempfile::tempdir().unwrap();
        let uri: ModelUri = uri.parse().unwrap();
        let fetched = self.registry.fetch(&uri, &Cache::open(dir.path()).unwrap()).await.unwrap();
        contents(&fetched.read_files().await.unwrap())
    }
}

/// As Python writes `bytes.hex()`.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn contents(files: &[(String, Vec<u8>)]) -> BTreeMap<String, String> {
    files.iter().map(|(path, bytes)| (path.clone(), hex(bytes))).collect()
}

fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}

/// What the script says about a run.
fn run_as_python(run: &Run) -> Value {
    let metrics: BTreeMap<&str, Value> =
        run.metrics.iter().map(|(key, value)| (key.as_str(), number(*value))).collect();
    json!({
        "experiment_id": run.experiment_id,
        "name": run.name,
        "user": run.user_id,
        "status": run.status.as_str(),
        "start": run.start_time.map(Timestamp::as_millis),
        "end": run.end_time.map(Timestamp::as_millis),
        "artifact_uri": run.artifact_uri,
        "params": run.params,
        "metrics": metrics,
        "tags": run.tags,
    })
}

/// Python reads an infinity as MLflow stores it.
fn number(value: f64) -> Value {
    if value.is_nan() { json!("nan") } else { json!(value.clamp(f64::MIN, f64::MAX)) }
}

fn version_as_python(version: &ModelVersion) -> Value {
    json!({
        "version": version.version,
        "stage": version.stage.as_str(),
        "status": version.status.as_str(),
        "source": version.source,
        "run_id": version.run_id,
        "description": version.description.as_deref().unwrap_or_default(),
        "tags": version.tags,
        "created": version.creation_time.as_millis(),
    })
}

async fn trained(registry: &Registry) -> Run {
    let experiment = registry.ensure_experiment(&unique("from-rust")).await.unwrap();
    let new = NewRun {
        name: Some("first try".into()),
        user_id: Some("ada".into()),
        ..NewRun::in_experiment(&experiment.experiment_id)
    };
    let run = registry.tracking().create_run(new).await.unwrap();
    let mut batch = RunBatch::new()
        .param("test_size", 0.2)
        .param("text", "ü'\";--")
        .metric("nan", f64::NAN)
        .metric("inf", f64::INFINITY)
        .tag("data", "ü");
    for (step, value) in [(0, 3.0), (1, 2.0), (2, 0.5)] {
        let timestamp = Timestamp::from_millis(1000 + step);
        batch.metrics.push(Metric { key: "loss".into(), value, timestamp, step });
    }
    registry.tracking().log_batch(&run.run_id, batch).await.unwrap();
    registry.tracking().finish_run(&run.run_id, RunStatus::Finished, Timestamp::now()).await.unwrap()
}

#[tokio::test]
async fn python_reads_what_rust_writes() {
    let Some(setting) = setting() else { return };
    let registry = &setting.registry;
    let name = unique("rust-model");
    let run = trained(registry).await;
    let files = vec![
        ("MLmodel".to_owned(), b"flavors: {}\n".to_vec()),
        ("data/weights.bin".to_owned(), (0..500_000_u32).flat_map(u32::to_le_bytes).collect()),
        ("data/empty".to_owned(), Vec::new()),
    ];
    let mut publication = Publication::new(&name, &run.run_id, files.clone());
    publication.description = Some("finds fraud".into());
    publication.tags.insert("team".into(), "fraud".into());
    registry.publish(publication).await.unwrap();
    let version = registry.promote(&name, 1, Stage::Production, Some("champion")).await.unwrap();
    registry.models().describe_model(&name, "by rust").await.unwrap();
    registry.models().tag_model(&name, "team", Some("risk")).await.unwrap();

    let uris = [
        format!("models:/{name}/1"),
        format!("models:/{name}@champion"),
        format!("models:/{name}/Production"),
        format!("models:/{name}/latest"),
        format!("runs:/{}/model", run.run_id),
        version.source.clone(),
    ];
    let seen = setting.python("read", &json!({"name": name, "run_id": run.run_id, "uris": uris})).await;
    assert_eq!(seen["run"], run_as_python(&run));
    assert_eq!(seen["history"], json!([[0, 3.0], [1, 2.0], [2, 0.5]]));
    let model = json!({"description": "by rust", "tags": {"team": "risk"}, "aliases": {"champion": 1}});
    assert_eq!(seen["model"], model);
    assert_eq!(seen["version"], version_as_python(&version));
    for uri in &uris {
        let mut downloaded: BTreeMap<String, String> =
            serde_json::from_value(seen["downloads"][uri].clone()).unwrap();
        downloaded.remove("manifest.json").expect("the manifest is downloaded as well");
        // MLflow's client writes it into what it downloads.
        downloaded.remove("registered_model_meta");
        assert_eq!(downloaded, contents(&files), "{uri}");
    }
}

#[tokio::test]
async fn rust_reads_what_python_writes() {
    let Some(setting) = setting() else { return };
    let name = unique("python-model");
    let wrote = setting.python("write", &json!({"name": name})).await;
    let run_id = wrote["run_id"].as_str().unwrap();
    let run = setting.registry.tracking().get_run(run_id).await.unwrap();
    assert_eq!(run_as_python(&run), wrote["run"]);
    assert_eq!(run.metrics["inf"], f64::INFINITY);
    let history = setting.registry.tracking().metric_history(run_id, "loss").await.unwrap();
    assert_eq!(
        history.iter().map(|it| (it.step, it.value)).collect::<Vec<_>>(),
        [(0, 3.0), (1, 2.0), (2, 0.5)]
    );
    let experiment = setting.registry.tracking().get_experiment(&run.experiment_id).await.unwrap();
    assert_eq!((experiment.name, experiment.tags["team"].as_str()), (format!("{name}-experiment"), "fraud"));

    let model = setting.registry.models().get_model(&name).await.unwrap();
    assert_eq!((model.description.as_deref(), model.tags["team"].as_str()), (Some("by python"), "risk"));
    assert_eq!(model.aliases, BTreeMap::from([("champion".to_owned(), 1)]));
    let version = setting.registry.models().get_version(&name, 1).await.unwrap();
    assert_eq!(version_as_python(&version), wrote["version"]);

    let mut expected: BTreeMap<String, String> = serde_json::from_value(wrote["files"].clone()).unwrap();
    expected.remove("registered_model_meta");
    let model_id = wrote["model_id"].as_str().unwrap();
    for uri in [
        format!("models:/{name}/1"),
        format!("models:/{name}@champion"),
        format!("models:/{name}/Production"),
        format!("models:/{name}/latest"),
        format!("models:/{model_id}"),
        format!("runs:/{run_id}/model"),
    ] {
        assert_eq!(setting.contents(&uri).await, expected, "{uri}");
    }
    let plain = contents(&[("plain.txt".to_owned(), b"plain".to_vec())]);
    assert_eq!(setting.contents(&format!("runs:/{run_id}/beside/model")).await, plain);
}
