//! `martello registry`: tables for people, JSON for programs, options on either side of the action, files that arrive whole.

#[allow(dead_code, reason = "each test file uses its part")]
mod process;

use std::path::Path;

use process::{martello, run, said, succeed};
use serde_json::Value;

const MODEL: &str = "linear_regression_model";

fn trained() -> tempfile::TempDir {
    let data = tempfile::tempdir().expect("a folder");
    succeed(data.path(), &["train"]);
    succeed(data.path(), &["train", "--retrain"]);
    data
}

fn json(data: &Path, arguments: &[&str]) -> Value {
    let text = succeed(data, &[&["registry", "--json"], arguments].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
}

/// The words of each line.
fn table(data: &Path, arguments: &[&str]) -> Vec<Vec<String>> {
    let text = succeed(data, &[&["registry"], arguments].concat());
    text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

#[test]
fn what_is_in_charge_is_listed_shown_and_moved() {
    let data = trained();
    let data = data.path();
    let listed = table(data, &["list"]);
    assert_eq!(listed[0], ["NAME", "IN", "CHARGE", "ALIASES", "UPDATED"]);
    assert_eq!(listed[1][..5], [MODEL, "Production", "2", "champion", "2"]);
    let shown = table(data, &["show", MODEL]);
    assert_eq!(shown[0][..4], ["VERSION", "STAGE", "STATUS", "ALIASES"]);
    assert_eq!(
        (shown[1][..4].to_vec(), &shown[2][..3]),
        (
            vec!["2".into(), "Production".into(), "READY".into(), "champion".into()],
            &["1".to_owned(), "Archived".into(), "READY".into()][..]
        )
    );

    assert_eq!(json(data, &["promote", MODEL, "1"])["stage"], "Production");
    assert_eq!(json(data, &["alias", MODEL, "challenger", "2"])["version"], 2);
    let models = json(data, &["list"]);
    assert_eq!((&models[0]["name"], &models[0]["aliases"]["challenger"]), (&MODEL.into(), &2.into()));
    let versions = json(data, &["show", MODEL]);
    assert_eq!((&versions[0]["stage"], &versions[1]["stage"]), (&"Archived".into(), &"Production".into()));
    assert!(versions[1]["run_id"].is_string() && versions[1]["source"].is_string());
    assert!(succeed(data, &["registry", "alias", MODEL, "challenger"]).contains("challenger is removed"));
    assert!(json(data, &["list"])[0]["aliases"].get("challenger").is_none());
}

#[test]
fn options_stand_before_or_after_the_action() {
    let data = trained();
    let folder = data.path().to_str().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    for arguments in [
        ["registry", "--data-dir", folder, "--json", "list"],
        ["registry", "list", "--data-dir", folder, "--json"],
        ["registry", "--json", "list", "--data-dir", folder],
    ] {
        let output = martello(elsewhere.path(), &arguments).output().unwrap();
        let models: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        assert_eq!(models[0]["name"], MODEL, "{arguments:?}: {}", said(&output));
    }
    let uri = format!("sqlite:///{folder}/mlflow.db");
    assert!(succeed(elsewhere.path(), &["registry", "list", "--tracking-uri", &uri]).contains(MODEL));
}

#[test]
fn a_model_is_fetched_whole_into_a_new_folder_or_not_at_all() {
    let data = trained();
    let to = data.path().join("out/model");
    let target = to.to_str().unwrap();
    let uri = format!("models:/{MODEL}@champion");
    let fetched = json(data.path(), &["fetch", &uri, target]);
    assert_eq!(fetched["uri"], uri.as_str());
    let mlmodel = std::fs::read_to_string(to.join("MLmodel")).unwrap();
    assert!(mlmodel.contains("flavors:"), "{mlmodel}");

    assert!(fetched["files"].as_u64().unwrap() > 1, "{fetched}");
    let again = run(data.path(), &["registry", "fetch", &uri, target]);
    assert!(!again.status.success() && said(&again).contains("exists already"), "{}", said(&again));
    let missing = data.path().join("out/missing");
    let refused = run(data.path(), &["registry", "fetch", "models:/nobody/1", missing.to_str().unwrap()]);
    assert!(!refused.status.success() && said(&refused).contains("nobody"), "{}", said(&refused));
    let left: Vec<_> =
        std::fs::read_dir(data.path().join("out")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["model"]);
}

#[test]
fn garbage_is_listed_and_deleted_only_when_asked() {
    let data = trained();
    assert!(succeed(data.path(), &["registry", "gc"]).contains("there is nothing to delete"));
    let found = json(data.path(), &["gc", "--cache-bytes", "0"]);
    assert_eq!((&found["deleted"], &found["artifacts"]), (&false.into(), &Value::Array(vec![])));
}

#[test]
fn what_is_not_there_is_said_in_one_line() {
    let data = trained();
    for arguments in [
        &["show", "nobody"][..],
        &["promote", MODEL, "9"],
        &["promote", "nobody", "1"],
        &["alias", MODEL, "champion", "9"],
        &["alias", MODEL, "latest", "1"],
    ] {
        let output = run(data.path(), &[&["registry"], arguments].concat());
        let text = said(&output);
        assert!(output.status.code() == Some(1) && text.trim().lines().count() == 1, "{arguments:?}: {text}");
        assert!(text.starts_with("error: "), "{arguments:?}: {text}");
    }
}
