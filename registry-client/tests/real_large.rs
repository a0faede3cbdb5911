//! Large artifacts go to a real server and come back in little memory, whole or not at all.
//!
//! A binary of its own, since it looks at the memory of the whole process. `.ci/real-servers` starts the server and sets
//! `MARTELLO_TEST_MLFLOW` to its address; without it, the test says that it was skipped.
#![cfg(feature = "rest")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::future::poll_fn;
use std::io::Write;

use martello_registry_client::rest::RestOptions;
use martello_registry_client::{
    ArtifactKind, ArtifactPath, Content, Digest, ErrorKind, Location, NewRun, PutOptions, Registry,
};

const SIZE: usize = 320 << 20;

/// What the process may grow by while it moves 320 MiB: eight parts of 8 MiB to and from S3, or five of 16 MiB from a server, some of
/// them in the buffers of a connection as well, and what the allocator keeps.
const MEMORY_KIB: u64 = 128 << 10;

/// The most memory that the process has had resident, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_large_file_goes_up_and_comes_down_in_little_memory() {
    let Ok(address) = std::env::var("MARTELLO_TEST_MLFLOW") else {
        eprintln!("SKIPPED: MARTELLO_TEST_MLFLOW names no server; .ci/real-servers starts one");
        return;
    };
    let registry = Registry::mlflow(&address, RestOptions::from_env().unwrap()).unwrap();
    let run = registry.tracking().create_run(NewRun::in_experiment("0")).await.unwrap();
    let root: Location = run.artifact_uri.parse().unwrap();
    let path: ArtifactPath = "large/weights.bin".parse().unwrap();

    let mut file = tempfile::NamedTempFile::new().unwrap();
    let piece: Vec<u8> = (0..1 << 20).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for at in 0..SIZE / piece.len() {
        file.write_all(&piece[1..]).unwrap();
        file.write_all(&[at as u8]).unwrap();
    }
    file.flush().unwrap();
    let before = peak();

    let promised = PutOptions { blake3: Some(Digest::of(b"something else")), ..PutOptions::default() };
    let refused = registry.artifacts().put(&root, &path, Content::File(file.path().into()), promised).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Integrity);
    assert_eq!(registry.artifacts().stat(&root, &path).await.unwrap_err().kind(), ErrorKind::NotFound);

    let options = PutOptions { size: Some(SIZE as u64), ..PutOptions::default() };
    let sent =
        registry.artifacts().put(&root, &path, Content::File(file.path().into()), options).await.unwrap();
    assert_eq!(registry.artifacts().stat(&root, &path).await.unwrap().kind, ArtifactKind::File(SIZE as u64));

    let back = tempfile::NamedTempFile::new().unwrap();
    let mut writer = back.reopen().unwrap();
    let mut stream = registry.artifacts().get(&root, &path).await.unwrap();
    while let Some(piece) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        writer.write_all(&piece.unwrap()).unwrap();
    }
    let grown = peak() - before;
    assert!(grown < MEMORY_KIB, "moving {SIZE} bytes took {grown} KiB");
    assert_eq!(Digest::of(&std::fs::read(back.path()).unwrap()), sent);
    registry.artifacts().delete_prefix(&root, &path).await.unwrap();
}
