//! `martello registry gc` lists, deletes when told to, and leaves alone what is needed.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

#[allow(dead_code, reason = "each test file uses its part")]
mod process;

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use process::{run, succeed};
use serde_json::Value;

const RUN: &str = "0123456789abcdef0123456789abcdef";

/// A run folder without a run, last changed so many hours ago.
fn orphan(data: &Path, hours: u64) -> std::path::PathBuf {
    let folder = data.join("artifacts/0").join(RUN);
    fs::create_dir_all(folder.join("artifacts")).unwrap();
    fs::write(folder.join("artifacts/weights"), "12345").unwrap();
    let at = SystemTime::now() - Duration::from_secs(3600 * hours);
    for path in ["artifacts/weights", "artifacts", ""] {
        File::open(folder.join(path)).unwrap().set_modified(at).unwrap();
    }
    folder
}

#[test]
fn garbage_is_listed_first_and_deleted_when_told_to() {
    let data = tempfile::tempdir().unwrap();
    succeed(data.path(), &["train"]);
    assert!(succeed(data.path(), &["registry", "gc"]).contains("nothing to delete"));

    let folder = orphan(data.path(), 30);
    let listed = succeed(data.path(), &["registry", "gc"]);
    assert!(
        listed.contains(RUN) && listed.contains("unknown run") && listed.contains("--delete"),
        "{listed}"
    );
    assert!(folder.is_dir(), "a dry run deletes nothing");
    assert!(!succeed(data.path(), &["registry", "gc", "--older-than", "48", "--delete"]).contains(RUN));
    assert!(folder.is_dir(), "it is younger");

    let json = succeed(data.path(), &["registry", "--json", "gc", "--delete"]);
    let said: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&said["deleted"], &said["artifacts"][0]["bytes"]), (&true.into(), &5.into()));
    assert!(!folder.exists());

    let fetched = data.path().join("fetched");
    let fetch = ["registry", "fetch", "models:/linear_regression_model@champion", fetched.to_str().unwrap()];
    assert!(succeed(data.path(), &fetch).contains("files in"));
    assert!(fetched.join("MLmodel").is_file());
}

#[test]
fn a_cache_beyond_its_bound_is_emptied_down_to_it() {
    let data = tempfile::tempdir().unwrap();
    succeed(data.path(), &["train"]);
    let fetched = data.path().join("fetched");
    succeed(
        data.path(),
        &["registry", "fetch", "models:/linear_regression_model/1", fetched.to_str().unwrap()],
    );
    let models = || fs::read_dir(data.path().join("cache/models")).unwrap().count();
    let gc = ["registry", "gc", "--cache-bytes", "1"];
    assert!(succeed(data.path(), &gc).contains("cache is full"));
    assert_eq!(models(), 1);
    assert!(succeed(data.path(), &[&gc[..], &["--delete"]].concat()).contains("deleted: 1 folders"));
    assert_eq!(models(), 0);
    assert_eq!(run(data.path(), &["registry", "gc", "--older-than", "0"]).status.code(), Some(2));
}
