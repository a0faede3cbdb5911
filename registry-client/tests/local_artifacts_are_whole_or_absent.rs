//! The local store: what it returns is what was put, what fails leaves nothing, and no link leads out.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::future::poll_fn;
use std::path::Path;

use martello_registry_client::{
    ArtifactKind, ArtifactPath, ArtifactStore, Content, Digest, ErrorKind, LocalArtifacts, Location,
    Overwrite, PutOptions, Result,
};

fn path(text: &str) -> ArtifactPath {
    text.parse().unwrap()
}

async fn store(dir: &Path) -> (LocalArtifacts, Location) {
    (LocalArtifacts::open(dir).await.unwrap(), Location::file(dir.join("0/run/artifacts")).unwrap())
}

async fn read(store: &LocalArtifacts, root: &Location, file: &str) -> Result<Vec<u8>> {
    let mut pieces = store.get(root, &path(file)).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = poll_fn(|cx| pieces.as_mut().poll_next(cx)).await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}

fn temporaries(dir: &Path) -> usize {
    std::fs::read_dir(dir.join(".tmp")).unwrap().count()
}

#[tokio::test]
async fn bytes_and_files_come_back_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let (store, root) = store(dir.path()).await;
    let large: Vec<u8> = (0..3_000_000u32).map(|at| (at * 7) as u8).collect();
    let source = dir.path().join("source");
    std::fs::write(&source, &large).unwrap();
    let digest =
        store.put(&root, &path("a/large"), Content::File(source), PutOptions::default()).await.unwrap();
    assert_eq!(digest, Digest::of(&large));
    assert_eq!(read(&store, &root, "a/large").await.unwrap(), large);
    store.put(&root, &path("a/empty"), Vec::new().into(), PutOptions::default()).await.unwrap();
    assert!(read(&store, &root, "a/empty").await.unwrap().is_empty());
    let listed = store.list(&root, Some(&path("a"))).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|entry| (entry.path.as_str(), entry.kind)).collect();
    assert_eq!(listed, [("a/empty", ArtifactKind::File(0)), ("a/large", ArtifactKind::File(3_000_000))]);
    assert_eq!(store.stat(&root, &path("a")).await.unwrap().kind, ArtifactKind::Folder);
    store.delete_prefix(&root, &path("a")).await.unwrap();
    store.delete_prefix(&root, &path("a")).await.unwrap();
    assert!(store.list(&root, None).await.unwrap().is_empty());
    assert!(read(&store, &root, "a/large").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn what_is_not_what_was_promised_is_not_stored() {
    let dir = tempfile::tempdir().unwrap();
    let (store, root) = store(dir.path()).await;
    store.put(&root, &path("file"), "old".into(), PutOptions::default()).await.unwrap();
    let promises = [
        (PutOptions { size: Some(4), ..PutOptions::default() }, ErrorKind::Integrity),
        (PutOptions { blake3: Some(Digest::of(b"other")), ..PutOptions::default() }, ErrorKind::Integrity),
        (PutOptions { overwrite: Overwrite::Refuse, ..PutOptions::default() }, ErrorKind::AlreadyExists),
    ];
    for (options, kind) in promises {
        let error = store.put(&root, &path("file"), "new".into(), options).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(read(&store, &root, "file").await.unwrap(), b"old");
    }
    let missing = Content::File(dir.path().join("missing"));
    assert!(
        store.put(&root, &path("file"), missing, PutOptions::default()).await.unwrap_err().is_not_found()
    );
    assert_eq!(temporaries(dir.path()), 0, "nothing is left behind");
}

#[tokio::test]
async fn a_link_is_never_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (store, root) = store(dir.path()).await;
    let outside = dir.path().join("outside");
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    store.put(&root, &path("real"), "x".into(), PutOptions::default()).await.unwrap();
    let Location::File(folder) = &root else { panic!("a local folder") };
    std::os::unix::fs::symlink(&outside, folder.join("link")).unwrap();
    std::os::unix::fs::symlink(outside.join("secret"), folder.join("file")).unwrap();
    let refused = |result: Result<()>| assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidArgument);
    refused(read(&store, &root, "link/secret").await.map(drop));
    refused(read(&store, &root, "file").await.map(drop));
    refused(store.put(&root, &path("link/new"), "x".into(), PutOptions::default()).await.map(drop));
    refused(store.put(&root, &path("file"), "x".into(), PutOptions::default()).await.map(drop));
    refused(store.stat(&root, &path("link/secret")).await.map(drop));
    refused(store.list(&root, Some(&path("link"))).await.map(drop));
    refused(store.list(&root, None).await.map(drop));
    refused(store.delete_prefix(&root, &path("link")).await);
    refused(store.delete_prefix(&root, &path("link/secret")).await);
    assert_eq!(std::fs::read(outside.join("secret")).unwrap(), b"secret");
    assert!(!outside.join("new").exists());
}

#[tokio::test]
async fn places_that_only_a_server_reaches_are_named_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = store(dir.path()).await;
    let error = store.list(&"s3://bucket/models".parse().unwrap(), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("s3://bucket/models"), "{error}");
}

#[tokio::test]
async fn only_one_publisher_has_a_place() {
    let dir = tempfile::tempdir().unwrap();
    let (store, root) = store(dir.path()).await;
    let claim = store.claim(&root).await.unwrap();
    let other = LocalArtifacts::open(dir.path()).await.unwrap();
    tokio::time::pause();
    assert_eq!(other.claim(&root).await.unwrap_err().kind(), ErrorKind::Conflict);
    drop(claim);
    other.claim(&root).await.unwrap();
}
