//! The cache: checked bytes only, bounded, and good while the registry cannot be reached.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use martello_registry_client::{
    Cache, ErrorKind, FetchProgress, FetchedModel, Freshness, ModelUri, NewRun, Publication, Registry, Stage,
    TrackingUri,
};

const BYTES: usize = 1000;

async fn publish(registry: &Registry, content: u8) -> u32 {
    let run = registry.tracking().create_run(NewRun::in_experiment("0")).await.unwrap();
    let files = vec![("data/weights".to_owned(), vec![content; BYTES])];
    let version = registry.publish(Publication::new("fraud", run.run_id, files)).await.unwrap();
    registry.promote("fraud", version.version, Stage::Production, Some("champion")).await.unwrap();
    version.version
}

async fn content(model: &FetchedModel) -> u8 {
    let files = model.read_files().await.unwrap();
    assert_eq!((files.len(), files[0].0.as_str(), files[0].1.len()), (1, "data/weights", BYTES));
    files[0].1[0]
}

fn uri(text: &str) -> ModelUri {
    text.parse().unwrap()
}

/// As if a newer MLflow had upgraded the file: nothing can be read any more.
fn break_registry(dir: &Path) {
    let connection = rusqlite::Connection::open(dir.join("mlflow.db")).unwrap();
    connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'", []).unwrap();
}

fn entries(cache: &Cache) -> usize {
    std::fs::read_dir(cache.dir().join("models")).unwrap().count()
}

#[tokio::test]
async fn what_was_fetched_is_served_while_the_registry_is_down() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("registry");
    let registry = Registry::embedded(&home).await.unwrap();
    let cache = Cache::open(dir.path().join("cache")).unwrap();
    publish(&registry, 1).await;
    let champion = uri("models:/fraud@champion");
    assert_eq!(content(&registry.fetch(&champion, &cache).await.unwrap()).await, 1);
    publish(&registry, 2).await;
    assert_eq!(content(&registry.fetch(&champion, &cache).await.unwrap()).await, 2);
    break_registry(&home);

    let model = registry.fetch(&champion, &cache).await.unwrap();
    assert_eq!((content(&model).await, model.freshness), (2, Freshness::Remembered));
    assert_eq!(model.version.unwrap().version, 2);
    let never = registry.fetch(&uri("models:/fraud/Production"), &cache).await.unwrap_err();
    assert_eq!(never.kind(), ErrorKind::SchemaUnsupported, "what was never fetched cannot be served");

    // A replica that starts now cannot even open the registry.
    assert!(Registry::embedded(&home).await.is_err());
    let restarted = Cache::open(dir.path().join("cache")).unwrap();
    let model = restarted.recall(registry.uri(), &champion).await.unwrap();
    assert_eq!((content(&model).await, model.freshness), (2, Freshness::Remembered));
}

#[tokio::test]
async fn what_was_vouched_for_is_found_after_the_uri_has_moved() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("registry");
    let registry = Registry::embedded(&home).await.unwrap();
    let cache = Cache::open(dir.path().join("cache")).unwrap();
    let champion = uri("models:/fraud@champion");
    assert!(cache.recall_good(registry.uri(), &champion).await.unwrap_err().is_not_found());
    publish(&registry, 1).await;
    let good = registry.fetch(&champion, &cache).await.unwrap();
    cache.vouch(registry.uri(), &champion, &good).await;
    publish(&registry, 2).await;
    registry.fetch(&champion, &cache).await.unwrap();

    // Whoever has not opened the registry knows it by its folder, links and all.
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&home, &link).unwrap();
    for named in [TrackingUri::embedded(&home), TrackingUri::embedded(&link)] {
        let model = cache.recall_good(&named, &champion).await.unwrap();
        assert_eq!((content(&model).await, model.version.unwrap().version), (1, 1));
        assert_eq!(content(&cache.recall(&named, &champion).await.unwrap()).await, 2);
    }
}

#[tokio::test]
async fn a_removed_version_is_not_served_from_memory() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path().join("registry")).await.unwrap();
    let cache = Cache::open(dir.path().join("cache")).unwrap();
    publish(&registry, 1).await;
    let champion = uri("models:/fraud@champion");
    registry.fetch(&champion, &cache).await.unwrap();
    registry.models().delete_alias("fraud", "champion").await.unwrap();
    assert!(registry.fetch(&champion, &cache).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn registries_that_share_a_cache_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path().join("cache")).unwrap();
    let champion = uri("models:/fraud@champion");
    for content in [1, 2] {
        let registry = Registry::embedded(dir.path().join(format!("registry-{content}"))).await.unwrap();
        publish(&registry, content).await;
        registry.fetch(&champion, &cache).await.unwrap();
    }
    for expected in [1, 2] {
        let home = dir.path().join(format!("registry-{expected}"));
        let registry = Registry::embedded(&home).await.unwrap();
        break_registry(&home);
        assert_eq!(content(&registry.fetch(&champion, &cache).await.unwrap()).await, expected);
    }
}

#[tokio::test]
async fn a_damaged_entry_is_fetched_anew_and_never_served() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("registry");
    let registry = Registry::embedded(&home).await.unwrap();
    let cache = Cache::open(dir.path().join("cache")).unwrap();
    publish(&registry, 1).await;
    let champion = uri("models:/fraud@champion");
    let model = registry.fetch(&champion, &cache).await.unwrap();
    let file = model.folder.join("data/weights");
    let damage = |bytes: Vec<u8>| std::fs::write(&file, bytes).unwrap();
    let mut flipped = vec![1; BYTES];
    flipped[500] = 0;
    for bytes in [flipped.clone(), vec![1; BYTES - 1], vec![1; BYTES + 1], Vec::new()] {
        damage(bytes);
        assert_eq!(model.read_files().await.unwrap_err().kind(), ErrorKind::Integrity);
        assert_eq!(content(&registry.fetch(&champion, &cache).await.unwrap()).await, 1);
    }
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &file).unwrap();
    assert_eq!(model.read_files().await.unwrap_err().kind(), ErrorKind::Integrity);

    break_registry(&home);
    let error = registry.fetch(&champion, &cache).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaUnsupported, "a damaged entry is no answer");
}

#[tokio::test]
async fn the_least_recently_used_goes_and_what_is_in_use_stays() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path().join("registry")).await.unwrap();
    let cache = Cache::open(dir.path().join("cache")).unwrap().with_max_bytes(2 * BYTES as u64 + 10);
    for content in 1..=4 {
        publish(&registry, content).await;
    }
    let fetch =
        async |version: u32| registry.fetch(&uri(&format!("models:/fraud/{version}")), &cache).await.unwrap();
    let held = fetch(1).await;
    let second = fetch(2).await;
    drop(second);
    drop(fetch(3).await);
    assert_eq!(entries(&cache), 2, "version 2 went: version 1 is older and in use");
    assert_eq!(content(&held).await, 1);
    assert!(held.folder.is_dir());
    drop(held);
    drop(fetch(3).await);
    drop(fetch(4).await);
    assert_eq!(entries(&cache), 2);
    assert_eq!(content(&cache.recall(registry.uri(), &uri("models:/fraud/3")).await.unwrap()).await, 3);
    assert!(cache.recall(registry.uri(), &uri("models:/fraud/1")).await.unwrap_err().is_not_found());

    let tiny = Cache::open(dir.path().join("tiny")).unwrap().with_max_bytes(10);
    let error = registry.fetch(&uri("models:/fraud/1"), &tiny).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(entries(&tiny), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_together_share_one_entry() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path().join("registry")).await.unwrap();
    publish(&registry, 7).await;
    let replicas: Vec<_> = (0..8)
        .map(|_| {
            let (registry, cache) = (registry.clone(), Cache::open(dir.path().join("cache")).unwrap());
            tokio::spawn(async move {
                let model = registry.fetch(&uri("models:/fraud@champion"), &cache).await.unwrap();
                content(&model).await
            })
        })
        .collect();
    for replica in replicas {
        assert_eq!(replica.await.unwrap(), 7);
    }
    let cache = Cache::open(dir.path().join("cache")).unwrap();
    assert_eq!(entries(&cache), 1);
    assert_eq!(std::fs::read_dir(cache.dir().join("tmp")).unwrap().count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn a_folder_without_a_manifest_is_fetched_by_its_listing() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path().join("registry")).await.unwrap();
    let cache = Cache::open(dir.path().join("cache")).unwrap();
    let folder = dir.path().join("logged by another client");
    std::fs::create_dir_all(folder.join("data")).unwrap();
    std::fs::write(folder.join("MLmodel"), "flavors: {}").unwrap();
    std::fs::write(folder.join("data/weights"), [1, 2, 3]).unwrap();
    let model = registry.fetch(&uri(folder.to_str().unwrap()), &cache).await.unwrap();
    let files = model.read_files().await.unwrap();
    assert_eq!(files, [("MLmodel".into(), b"flavors: {}".to_vec()), ("data/weights".into(), vec![1, 2, 3])]);

    std::os::unix::fs::symlink("/etc", folder.join("etc")).unwrap();
    let error = registry.fetch(&uri(folder.to_str().unwrap()), &cache).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "a link could lead anywhere");
    let nothing = registry.fetch(&uri(dir.path().join("nothing").to_str().unwrap()), &cache).await;
    assert!(nothing.unwrap_err().is_not_found());
}

/// How many bytes are announced, and have come.
#[derive(Default)]
struct Told(AtomicU64, AtomicU64);

impl FetchProgress for Told {
    fn started(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn advanced(&self, bytes: u64) {
        self.1.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn whoever_wants_to_know_is_told_how_far_a_copy_out_of_the_cache_is() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path().join("registry")).await.unwrap();
    let cache = Cache::open(dir.path().join("cache")).unwrap();
    publish(&registry, 1).await;
    let model = registry.fetch(&uri("models:/fraud@champion"), &cache).await.unwrap();
    let told = Told::default();
    assert_eq!(model.copy_with(dir.path().join("copy"), &told).await.unwrap(), 1);
    assert_eq!((told.0.into_inner(), told.1.into_inner()), (BYTES as u64, BYTES as u64));
}
