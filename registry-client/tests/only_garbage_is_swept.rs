//! Sweeping deletes the files of deleted and unknown runs, and nothing that a version, a run or anybody else may need.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use martello_registry_client::{
    Cache, ErrorKind, GarbageReason, NewRun, NewVersion, Publication, Registry, Sweeper,
};

const DAY: Duration = Sweeper::DEFAULT_OLDER_THAN;

fn files(content: &str) -> Vec<(String, Vec<u8>)> {
    vec![("weights/data".to_owned(), content.as_bytes().to_vec())]
}

/// Makes a run with a model's files and a version; returns the run and its folder.
async fn published(registry: &Registry, dir: &Path, name: &str) -> (String, PathBuf, u32) {
    let run = registry.tracking().create_run(NewRun::in_experiment("0")).await.unwrap();
    let version = registry.publish(Publication::new(name, &run.run_id, files(name))).await.unwrap();
    let folder = dir.canonicalize().unwrap().join("artifacts/0").join(&run.run_id);
    assert!(folder.is_dir());
    (run.run_id, folder, version.version)
}

fn age(folder: &Path, by: Duration) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { age(&path, by) } else { set(&path, by) }
    }
    set(folder, by);
}

fn set(path: &Path, age: Duration) {
    File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

/// Lets a run have been deleted so long ago, which no call can do.
fn deleted(dir: &Path, run_id: &str, ago: Duration) {
    let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() - ago;
    let database = rusqlite::Connection::open(dir.join("mlflow.db")).unwrap();
    let sql = "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ?2 WHERE run_uuid = ?1";
    assert_eq!(database.execute(sql, rusqlite::params![run_id, at.as_millis() as i64]).unwrap(), 1);
}

async fn found(registry: &Registry) -> Vec<(GarbageReason, PathBuf)> {
    let found = registry.sweeper().unwrap().find(DAY).await.unwrap();
    found.into_iter().map(|it| (it.reason, it.folder)).collect()
}

#[tokio::test]
async fn a_deleted_run_is_garbage_once_no_version_needs_it_and_it_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path()).await.unwrap();
    let (run, folder, version) = published(&registry, dir.path(), "fraud").await;
    let (_, active, _) = published(&registry, dir.path(), "active").await;
    age(&folder, 2 * DAY);
    age(&active, 2 * DAY);
    deleted(dir.path(), &run, 2 * DAY);
    assert_eq!(found(&registry).await, [], "its version is still there");

    registry.models().delete_version("fraud", version).await.unwrap();
    let expected = [(GarbageReason::DeletedRun, folder.clone())];
    assert_eq!(found(&registry).await, expected);
    deleted(dir.path(), &run, DAY / 2);
    assert_eq!(found(&registry).await, [], "it was deleted lately");
    deleted(dir.path(), &run, 2 * DAY);
    age(&folder.join("artifacts/model/weights"), DAY / 2);
    assert_eq!(found(&registry).await, [], "it was written to lately");
    age(&folder, 2 * DAY);

    let garbage = registry.sweeper().unwrap().find(DAY).await.unwrap().remove(0);
    assert!(garbage.bytes > 0);
    assert!(registry.sweeper().unwrap().delete(&garbage).await.unwrap());
    assert!(!folder.exists() && active.is_dir());
    assert!(!registry.sweeper().unwrap().delete(&garbage).await.unwrap(), "it is gone already");
    assert_eq!(fs::read_dir(dir.path().join("artifacts/.tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn what_became_needed_after_it_was_found_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path()).await.unwrap();
    let (run, folder, version) = published(&registry, dir.path(), "fraud").await;
    registry.models().delete_version("fraud", version).await.unwrap();
    age(&folder, 2 * DAY);
    deleted(dir.path(), &run, 2 * DAY);
    let garbage = registry.sweeper().unwrap().find(DAY).await.unwrap().remove(0);
    for source in
        [format!("file://{}", folder.join("artifacts/model").display()), format!("runs:/{run}/model")]
    {
        let new = NewVersion { name: "fraud".into(), source, ..NewVersion::default() };
        let made = registry.models().create_version(new).await.unwrap();
        assert!(!registry.sweeper().unwrap().delete(&garbage).await.unwrap());
        registry.models().delete_version("fraud", made.version).await.unwrap();
    }
    assert!(folder.is_dir());
}

#[tokio::test]
async fn only_folders_that_look_like_runs_can_be_orphans() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path()).await.unwrap();
    let artifacts = dir.path().canonicalize().unwrap().join("artifacts");
    let id = "0123456789abcdef0123456789abcdef";
    let (run, model) = (artifacts.join("7").join(id), artifacts.join(format!("7/models/m-{id}")));
    for folder in [&run, &model, &artifacts.join("7/notes"), &artifacts.join(format!("7/deeper/{id}"))] {
        fs::create_dir_all(folder.join("artifacts")).unwrap();
        fs::write(folder.join("artifacts/file"), "x").unwrap();
        age(folder, 2 * DAY);
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let link = artifacts.join(format!("7/{}", id.replace('0', "f")));
    std::os::unix::fs::symlink(elsewhere.path(), &link).unwrap();
    let expected = [(GarbageReason::UnknownRun, run), (GarbageReason::UnknownModel, model)];
    assert_eq!(found(&registry).await, expected);
}

#[tokio::test]
async fn two_databases_in_one_folder_sweep_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path()).await.unwrap();
    rusqlite::Connection::open(dir.path().join("second.db"))
        .unwrap()
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    let error = registry.sweeper().unwrap().find(DAY).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Conflict && error.to_string().contains("second.db"), "{error}");
}

#[tokio::test]
async fn a_cache_is_trimmed_to_its_bound_and_what_is_in_use_stays() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path().join("registry")).await.unwrap();
    let cache = Cache::open(dir.path().join("cache")).unwrap();
    for name in ["first", "second"] {
        published(&registry, &dir.path().join("registry"), name).await;
    }
    let first = registry.fetch(&"models:/first/1".parse().unwrap(), &cache).await.unwrap();
    let second = registry.fetch(&"models:/second/1".parse().unwrap(), &cache).await.unwrap().digest;
    assert_eq!((cache.excess().await.unwrap(), cache.trim().await.unwrap()), (vec![], vec![]));
    let small = cache.with_max_bytes(0);
    assert_eq!(small.excess().await.unwrap().len(), 2);
    let gone = small.trim().await.unwrap();
    assert_eq!(gone.iter().map(|it| it.digest).collect::<Vec<_>>(), [second]);
    assert!(first.folder.is_dir());
}
