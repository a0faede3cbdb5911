//! The map of the house, asserted: who may depend on whom (ARCHITECTURE.md, "Invariants").

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The normal dependencies of every workspace package, optional ones included.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("packages is a list");
    packages.iter().map(|package| (text(&package["name"]), normal_dependencies(package))).collect()
}

fn normal_dependencies(package: &Value) -> BTreeSet<String> {
    let all = package["dependencies"].as_array().expect("dependencies is a list");
    all.iter().filter(|one| one["kind"].is_null()).map(|one| text(&one["name"])).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// The dependencies of `package` that are crates of this workspace, without the common prefix.
fn ours(package: &str) -> Vec<String> {
    let all = dependencies().remove(package).expect("the package is in the workspace");
    all.iter().filter_map(|name| name.strip_prefix("martello-")).map(str::to_owned).collect()
}

fn packages_that_need(dependency: &str) -> Vec<String> {
    let all = dependencies();
    all.into_iter().filter(|(_, needs)| needs.contains(dependency)).map(|(name, _)| name).collect()
}

#[test]
fn each_crate_knows_as_little_as_possible_of_the_others() {
    let expected: [(&str, &[&str]); 6] = [
        ("martello-model-core", &[]),
        ("martello-registry-client", &[]),
        ("martello-balancer", &[]),
        ("martello-load-test", &[]),
        ("martello-trainer", &["model-core", "registry-client"]),
        ("martello-serving", &["model-core", "registry-client"]),
    ];
    for (package, allowed) in expected {
        assert_eq!(ours(package), allowed, "dependencies of {package}");
    }
}

#[test]
fn only_the_trainer_knows_linfa() {
    for library in ["linfa", "linfa-linear", "linfa-logistic", "ndarray"] {
        assert_eq!(packages_that_need(library), ["martello-trainer"], "{library}");
    }
}

#[test]
fn model_core_does_no_io_and_has_no_async() {
    let needs = dependencies().remove("martello-model-core").expect("the package is in the workspace");
    for foreign in ["tokio", "futures-util", "hyper", "rusqlite", "tempfile", "rand", "uuid", "tower"] {
        assert!(!needs.contains(foreign), "model-core needs {foreign}");
    }
}

#[test]
fn the_command_line_lives_in_the_binary_alone() {
    assert_eq!(packages_that_need("clap"), ["martello-cli"]);
    assert_eq!(packages_that_need("anyhow"), ["martello-cli"]);
    assert!(packages_that_need("martello-cli").is_empty(), "nothing depends on the binary");
}

#[test]
fn only_the_registry_client_knows_sqlite() {
    assert_eq!(packages_that_need("rusqlite"), ["martello-registry-client"]);
}
