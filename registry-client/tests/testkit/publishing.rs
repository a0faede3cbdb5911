//! Publishing and fetching.

use martello_registry_client::{
    ArtifactPath, Cache, ErrorKind, Freshness, Location, MANIFEST_FILE, MANIFEST_TAG, ModelUri, Publication,
    PutOptions, Registry, Stage,
};

use super::{assert_fails, files, publish, run, unique};

fn sorted(mut files: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    files.sort();
    files
}

fn cache() -> (tempfile::TempDir, Cache) {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path()).unwrap();
    (dir, cache)
}

fn path(text: &str) -> ArtifactPath {
    text.parse().unwrap()
}

pub(crate) async fn what_was_published_can_be_fetched_by_every_uri(registry: &Registry) {
    let name = unique("model");
    let run = run(registry).await;
    let mut publication = Publication::new(&name, &run.run_id, files());
    publication.tags.insert("team".into(), "fraud".into());
    publication.description = Some("first".into());
    let version = registry.publish(publication).await.unwrap();
    assert_eq!((version.version, version.run_id.as_deref()), (1, Some(run.run_id.as_str())));
    assert_eq!((version.tags["team"].as_str(), version.description.as_deref()), ("fraud", Some("first")));
    registry.promote(&name, 1, Stage::Production, Some("champion")).await.unwrap();

    for (uri, registered) in [
        (format!("models:/{name}/1"), true),
        (format!("models:/{name}/Production"), true),
        (format!("models:/{name}@champion"), true),
        (format!("models:/{name}/latest"), true),
        (format!("runs:/{}/model", run.run_id), false),
        (version.source.clone(), false),
    ] {
        let (_dir, cache) = cache();
        let fetched = registry.fetch(&uri.parse::<ModelUri>().unwrap(), &cache).await.unwrap();
        assert_eq!(sorted(fetched.read_files().await.unwrap()), sorted(files()), "{uri}");
        assert_eq!(fetched.freshness, Freshness::Current);
        assert_eq!(fetched.version.is_some(), registered, "{uri}");
        assert_eq!(fetched.digest.to_string(), version.tags[MANIFEST_TAG]);
        assert!(fetched.folder.join("data/weights.bin").is_file());
    }
    let missing: ModelUri = format!("models:/{name}/Staging").parse().unwrap();
    assert_fails(registry.fetch(&missing, &cache().1).await, ErrorKind::NotFound);
}

pub(crate) async fn a_repeated_publication_returns_the_same_version(registry: &Registry) {
    let name = unique("model");
    let run = run(registry).await;
    let publication = Publication::new(&name, &run.run_id, files());
    let first = registry.publish(publication.clone()).await.unwrap();
    assert_eq!(registry.publish(publication.clone()).await.unwrap(), first);

    let again = Publication { request_id: Some("another".into()), ..publication.clone() };
    assert_eq!(
        registry.publish(again.clone()).await.unwrap().version,
        2,
        "another request is another version"
    );
    let mut other_files = again;
    other_files.files[0].1.push(0);
    assert_fails(registry.publish(other_files).await, ErrorKind::Conflict);
}

pub(crate) async fn two_models_never_share_a_folder(registry: &Registry) {
    let run = run(registry).await;
    let (name, other) = (unique("model"), unique("model"));
    let version = registry.publish(Publication::of(&name, &run, files())).await.unwrap();
    let mut changed = files();
    changed[0].1.push(b'x');
    let clash = Publication::new(&other, &run.run_id, changed.clone());
    assert_fails(registry.publish(clash.clone()).await, ErrorKind::Conflict);
    let uri: ModelUri = format!("models:/{name}/{}", version.version).parse().unwrap();
    let (_dir, cache) = cache();
    let fetched = registry.fetch(&uri, &cache).await.unwrap();
    assert_eq!(sorted(fetched.read_files().await.unwrap()), sorted(files()));
    let beside = Publication { artifact_path: "other/model".into(), ..clash };
    registry.publish(beside).await.unwrap();
}

/// What a crash leaves: files without a manifest, some of them of another attempt.
pub(crate) async fn an_interrupted_publication_is_completed(registry: &Registry) {
    let run = run(registry).await;
    let name = unique("model");
    let root: Location = run.artifact_uri.parse::<Location>().unwrap().join(&path("model"));
    let artifacts = registry.artifacts();
    artifacts.put(&root, &path("MLmodel"), "half".into(), PutOptions::default()).await.unwrap();
    artifacts.put(&root, &path("stale/file"), "left over".into(), PutOptions::default()).await.unwrap();
    let version = registry.publish(Publication::of(&name, &run, files())).await.unwrap();
    let (_dir, cache) = cache();
    let fetched = registry.fetch(&format!("models:/{name}/1").parse().unwrap(), &cache).await.unwrap();
    assert_eq!(sorted(fetched.read_files().await.unwrap()), sorted(files()));
    let listed = artifacts.list(&root, None).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(listed, ["MLmodel", "data", MANIFEST_FILE]);
    assert_eq!(version.source, root.to_string());
}

pub(crate) async fn an_altered_file_is_never_served(registry: &Registry) {
    let name = unique("model");
    let version = publish(registry, &name).await;
    let root: Location = version.source.parse().unwrap();
    let uri: ModelUri = format!("models:/{name}/1").parse().unwrap();
    let artifacts = registry.artifacts();
    let mut weights = files()[1].1.clone();
    weights[1000] ^= 1;
    for (file, content) in [
        ("data/weights.bin", weights.clone()),
        ("data/weights.bin", weights[..1000].to_vec()),
        ("data/weights.bin", [weights.clone(), vec![0]].concat()),
        (MANIFEST_FILE, b"{}".to_vec()),
    ] {
        artifacts.put(&root, &path(file), content.into(), PutOptions::default()).await.unwrap();
        let (_dir, cache) = cache();
        assert_fails(registry.fetch(&uri, &cache).await, ErrorKind::Integrity);
        assert_fails(cache.recall(registry.uri(), &uri).await, ErrorKind::NotFound);
    }
    artifacts.delete_prefix(&root, &path(MANIFEST_FILE)).await.unwrap();
    assert_fails(registry.fetch(&uri, &cache().1).await, ErrorKind::Integrity);
}

pub(crate) async fn bad_files_are_refused_before_anything_is_stored(registry: &Registry) {
    let run = run(registry).await;
    let name = unique("model");
    for bad in ["../escape", "/etc/passwd", "a\\b", "a#b", "", MANIFEST_FILE, "data", "MLmodel/x"] {
        let mut files = files();
        files.push((bad.to_owned(), Vec::new()));
        let refused = registry.publish(Publication::new(&name, &run.run_id, files)).await;
        assert_fails(refused, ErrorKind::InvalidArgument);
    }
    assert_fails(
        registry.publish(Publication::new(&name, &run.run_id, vec![])).await,
        ErrorKind::InvalidArgument,
    );
    assert_fails(
        registry.publish(Publication::new("a@b", &run.run_id, files())).await,
        ErrorKind::InvalidArgument,
    );
    assert_fails(registry.publish(Publication::new(&name, "nobody", files())).await, ErrorKind::NotFound);
    assert_fails(registry.models().get_model(&name).await, ErrorKind::NotFound);
    let root: Location = run.artifact_uri.parse().unwrap();
    assert!(registry.artifacts().list(&root, None).await.unwrap().is_empty());
}

pub(crate) async fn files_on_the_local_disk_are_published_with_those_in_memory(registry: &Registry) {
    let name = unique("local");
    let run = run(registry).await;
    let dir = tempfile::tempdir().unwrap();
    let weights = dir.path().join("anything");
    std::fs::write(&weights, vec![7; 200_000]).unwrap();
    let empty = dir.path().join("nothing");
    std::fs::write(&empty, "").unwrap();
    let publication =
        || Publication::new(&name, &run.run_id, files()).file("zz/weights", &weights).file("empty", &empty);
    let version = registry.publish(publication()).await.unwrap();
    assert_eq!(registry.publish(publication()).await.unwrap().version, version.version, "it is repeatable");
    let expected = [("zz/weights".to_owned(), vec![7; 200_000]), ("empty".to_owned(), Vec::new())];
    let (_dir, cache) = cache();
    let fetched = registry.fetch(&format!("models:/{name}/1").parse().unwrap(), &cache).await.unwrap();
    assert_eq!(sorted(fetched.read_files().await.unwrap()), sorted([files(), expected.to_vec()].concat()));

    std::fs::write(&weights, "changed").unwrap();
    assert_fails(registry.publish(publication()).await, ErrorKind::Conflict);
    let missing = Publication::new(&name, &run.run_id, files()).file("weights", dir.path().join("missing"));
    assert_fails(registry.publish(missing).await, ErrorKind::NotFound);
}
