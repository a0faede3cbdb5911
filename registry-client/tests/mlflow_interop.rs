//! The real MLflow on the same file: what Rust writes, Python reads; what Python writes, Rust reads; after Python has upgraded the
//! schema, Rust writes on.
//!
//! `MARTELLO_MLFLOW_PYTHON=/path/to/python cargo test -p martello-registry-client --test mlflow_interop -- --nocapture`, with a Python
//! that has `mlflow` or `mlflow-skinny` with `sqlalchemy` and `alembic`. Without the variable, the test says that it was skipped.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use martello_registry_client::{
    Cache, ErrorKind, Metric, ModelUri, NewRun, Publication, Registry, Run, RunBatch, RunStatus, Stage,
    Timestamp,
};
use serde_json::{Value, json};

const VARIABLE: &str = "MARTELLO_MLFLOW_PYTHON";

const SCRIPT: &str = include_str!("mlflow_interop.py");

/// Runs one step of the script; it prints one line of JSON.
fn python(step: &str, dir: &Path, arguments: &Value) -> Option<Value> {
    let interpreter = std::env::var(VARIABLE).ok()?;
    let database = dir.join("registry/mlflow.db");
    let output = Command::new(interpreter)
        .args(["-c", SCRIPT, step, database.to_str().unwrap(), &arguments.to_string()])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{step}:\n{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let line = printed.lines().last().unwrap_or_else(|| panic!("{step} printed nothing"));
    Some(serde_json::from_str(line).unwrap())
}

fn skipped(test: &str) -> bool {
    let missing = std::env::var_os(VARIABLE).is_none();
    if missing {
        eprintln!("SKIPPED {test}: set {VARIABLE} to a python with mlflow to run it");
    }
    missing
}

fn files() -> Vec<(String, Vec<u8>)> {
    vec![("MLmodel".to_owned(), b"flavors: {}\n".to_vec()), ("data/weights.bin".to_owned(), vec![7; 100_000])]
}

async fn trained(registry: &Registry) -> Run {
    let experiment = registry.ensure_experiment("from rust").await.unwrap();
    let new = NewRun {
        name: Some("first try".into()),
        user_id: Some("ada".into()),
        ..NewRun::in_experiment(&experiment.experiment_id)
    };
    let run = registry.tracking().create_run(new).await.unwrap();
    let mut batch = RunBatch::new()
        .param("test_size", 0.2)
        .metric("nan", f64::NAN)
        .metric("inf", f64::INFINITY)
        .tag("data", "ü");
    for (step, value) in [(0, 3.0), (1, 2.0), (2, 0.5)] {
        batch.metrics.push(Metric {
            key: "loss".into(),
            value,
            timestamp: Timestamp::from_millis(1000 + step),
            step,
        });
    }
    registry.tracking().log_batch(&run.run_id, batch).await.unwrap();
    registry.tracking().finish_run(&run.run_id, RunStatus::Finished, Timestamp::now()).await.unwrap()
}

async fn fetched(registry: &Registry, dir: &Path, uri: &str) -> Vec<(String, Vec<u8>)> {
    let cache = Cache::open(dir.join("cache")).unwrap();
    let uri: ModelUri = uri.parse().unwrap();
    registry.fetch(&uri, &cache).await.unwrap().read_files().await.unwrap()
}

#[tokio::test]
async fn python_and_rust_share_one_file() {
    if skipped("python_and_rust_share_one_file") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    let registry = Registry::embedded(dir.join("registry")).await.unwrap();
    let run = trained(&registry).await;
    let version = registry.publish(Publication::new("fraud", &run.run_id, files())).await.unwrap();
    registry.promote("fraud", 1, Stage::Production, Some("champion")).await.unwrap();
    registry.models().describe_model("fraud", "finds fraud").await.unwrap();

    // Python opens the file while Rust has it open; a newer MLflow upgrades it.
    let seen = python("read", &dir, &json!({ "run_id": run.run_id })).unwrap();
    eprintln!("mlflow {} saw {seen:#}", seen["mlflow"]);
    assert_eq!(seen["experiment"], "from rust");
    assert_eq!(seen["run"], json!({ "name": "first try", "user": "ada", "status": "FINISHED", "end": true }));
    assert_eq!(seen["params"], json!({ "test_size": "0.2" }));
    assert_eq!(seen["metrics"], json!({ "loss": 0.5, "nan": "nan", "inf": 1.797_693_134_862_315_7e308 }));
    assert_eq!(seen["history"], json!([3.0, 2.0, 0.5]));
    assert_eq!(seen["tag"], "ü");
    assert_eq!(seen["artifacts"], json!(["model/MLmodel", "model/data/weights.bin", "model/manifest.json"]));
    assert_eq!(seen["model"], json!({ "description": "finds fraud", "aliases": { "champion": 1 } }));
    assert_eq!(seen["version"]["stage"], "Production");
    assert_eq!(seen["version"]["source"], version.source);
    assert_eq!(seen["version"]["tags"]["mt.manifest_blake3"], version.tags["mt.manifest_blake3"]);
    assert_eq!(seen["downloaded"], 100_000);
    assert_eq!(seen["found"], json!(["fraud"]));

    // Python writes; the handle that Rust has open reads it.
    let wrote = python("write", &dir, &json!({})).unwrap();
    let run_id = wrote["run_id"].as_str().unwrap();
    let read = registry.tracking().get_run(run_id).await.unwrap();
    assert_eq!(
        (read.params["alpha"].as_str(), read.metrics["rmse"], read.status),
        ("0.5", 0.25, RunStatus::Finished)
    );
    let found = registry.models().get_version_by_alias("fraud", "challenger").await.unwrap();
    assert_eq!((found.version, found.run_id.as_deref(), found.stage), (2, Some(run_id), Stage::Staging));
    assert_eq!((found.tags["from"].as_str(), found.description.as_deref()), ("python", Some("second")));
    let logged = vec![("MLmodel".to_owned(), b"flavors: {python: 1}\n".to_vec())];
    assert_eq!(fetched(&registry, &dir, "models:/fraud@challenger").await, logged);
    assert_eq!(fetched(&registry, &dir, &format!("runs:/{run_id}/model")).await, logged);

    // Rust writes on, in the same handle and in a new one.
    let run = trained(&registry).await;
    let third = registry.publish(Publication::new("fraud", &run.run_id, files())).await.unwrap();
    assert_eq!(third.version, 3);
    let again = Registry::embedded(dir.join("registry")).await.unwrap();
    again.promote("fraud", 3, Stage::Production, Some("champion")).await.unwrap();
    assert_eq!(fetched(&again, &dir, "models:/fraud@champion").await, files());
    let seen = python("read", &dir, &json!({ "run_id": run.run_id })).unwrap();
    assert_eq!(seen["model"]["aliases"], json!({ "champion": 3, "challenger": 2 }));
}

#[tokio::test]
async fn rust_opens_what_python_has_made() {
    if skipped("rust_opens_what_python_has_made") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    std::fs::create_dir(dir.join("registry")).unwrap();
    let wrote = python("write", &dir, &json!({})).unwrap();
    let registry = Registry::embedded(dir.join("registry")).await.unwrap();
    let logged = vec![("MLmodel".to_owned(), b"flavors: {python: 1}\n".to_vec())];
    assert_eq!(fetched(&registry, &dir, "models:/fraud/Staging").await, logged);
    let run = trained(&registry).await;
    registry.publish(Publication::new("fraud", &run.run_id, files())).await.unwrap();
    assert_eq!(fetched(&registry, &dir, "models:/fraud/latest").await, files());

    let model = python("log_model", &dir, &json!({})).unwrap();
    if let Some(model_id) = model["model_id"].as_str() {
        assert_eq!(fetched(&registry, &dir, &format!("models:/{model_id}")).await, logged);
        let run_id = model["run_id"].as_str().unwrap();
        assert_eq!(fetched(&registry, &dir, &format!("runs:/{run_id}/logged")).await, logged);
        assert_eq!(fetched(&registry, &dir, &format!("models:/fraud/{}", model["version"])).await, logged);
    } else {
        eprintln!("this mlflow has no logged models");
    }

    let workspaces = python("workspace", &dir, &json!({ "run_id": wrote["run_id"] })).unwrap();
    if workspaces["has_workspaces"] == true {
        let refused = registry.models().get_model("fraud").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::SchemaUnsupported, "{refused}");
    }
}

/// Only a python with mlflow 2.14 makes the schema that is made here.
#[tokio::test]
async fn the_schema_is_the_one_that_mlflow_makes() {
    if skipped("the_schema_is_the_one_that_mlflow_makes") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("registry")).unwrap();
    python("write", dir.path(), &json!({})).unwrap();
    let theirs = python("schema", dir.path(), &json!({})).unwrap();
    let revision = theirs["revision"].as_str().unwrap();
    if revision != "5b0e9adcef9c" {
        eprintln!(
            "SKIPPED the_schema_is_the_one_that_mlflow_makes: this python makes the revision {revision}"
        );
        return;
    }
    let ours = tempfile::tempdir().unwrap();
    Registry::embedded(ours.path()).await.unwrap();
    let database = rusqlite::Connection::open(ours.path().join("mlflow.db")).unwrap();
    let sql = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'mt\\_%' ESCAPE '\\'";
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let ours: BTreeSet<_> = rows.map(|row| parts(&row.unwrap())).collect();
    let theirs: BTreeSet<_> = serde_json::from_value::<Vec<String>>(theirs["statements"].clone())
        .unwrap()
        .iter()
        .map(|statement| parts(statement))
        .collect();
    assert_eq!(ours.len(), 30, "19 tables and 11 indexes");
    assert_eq!(theirs, ours);
}

/// What a statement says, whatever the order of constraints: MLflow's own migrations write them in an order that varies from one run
/// to the next.
fn parts(statement: &str) -> BTreeSet<String> {
    let words = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    statement.replace(['(', ')'], " ").split(',').map(words).collect()
}
