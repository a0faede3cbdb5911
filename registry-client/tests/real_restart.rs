//! A real server that is killed in the middle of an upload, and started again: nothing half-made can be loaded, and publishing again
//! completes it, once.
//!
//! `.ci/real-servers` starts the server, sets `MARTELLO_TEST_MLFLOW` to its address and `MARTELLO_TEST_RESTART` to a program that
//! kills it with SIGKILL, starts it again on the same port and returns when it answers. Without them, the test says that it was
//! skipped.
#![cfg(feature = "rest")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

#[allow(dead_code, reason = "each test file uses its part")]
mod testkit;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use martello_registry_client::rest::{HttpOptions, RestOptions};
use martello_registry_client::{Cache, ModelUri, NewRun, Publication, Query, Registry, VersionField};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const SIZE: usize = 48 << 20;

/// The server dies once so many bytes of the upload have passed.
const DIES_AFTER: u64 = 16 << 20;

/// Passes bytes on to the server, and tells when the server should die.
struct Relay {
    address: String,
    passed: Arc<AtomicU64>,
    due: Arc<Notify>,
}

impl Relay {
    async fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            passed: Arc::default(),
            due: Arc::default(),
        };
        let (passed, due) = (relay.passed.clone(), relay.due.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay_one(client, server.clone(), passed.clone(), due.clone()));
            }
        });
        relay
    }
}

async fn relay_one(
    client: TcpStream,
    server: String,
    passed: Arc<AtomicU64>,
    due: Arc<Notify>,
) -> std::io::Result<()> {
    let (mut from, mut back) = client.into_split();
    let (mut answers, mut to) = TcpStream::connect(server.trim_start_matches("http://")).await?.into_split();
    let answering = tokio::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            break;
        }
        let before = passed.fetch_add(read as u64, Ordering::Relaxed);
        if before < DIES_AFTER && before + read as u64 >= DIES_AFTER {
            due.notify_one();
            // The rest is never sent to the server that is about to die.
            answering.abort();
            return Ok(());
        }
        to.write_all(&piece[..read]).await?;
    }
    to.shutdown().await?;
    let _ = answering.await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_in_an_upload_leaves_nothing_half_made() {
    let (Ok(server), Ok(restart)) =
        (std::env::var("MARTELLO_TEST_MLFLOW"), std::env::var("MARTELLO_TEST_RESTART"))
    else {
        eprintln!("SKIPPED: MARTELLO_TEST_RESTART names no program; .ci/real-servers makes one");
        return;
    };
    let relay = Relay::start(server.clone()).await;
    // The client gives up long before the server is back: the interruption is felt.
    let http = HttpOptions { max_retries: 0, ..HttpOptions::default() };
    let interrupted =
        Registry::mlflow(&relay.address, RestOptions { http, ..RestOptions::default() }).unwrap();
    let patient = Registry::mlflow(&server, RestOptions::default()).unwrap();

    let name = testkit::unique("restarted");
    let run = patient.tracking().create_run(NewRun::in_experiment("0")).await.unwrap();
    let files = vec![("small".to_owned(), vec![1]), ("weights".to_owned(), vec![7; SIZE])];
    let publication = Publication::new(&name, &run.run_id, files.clone());
    let publishing = tokio::spawn({
        let publication = publication.clone();
        async move { interrupted.publish(publication).await }
    });
    relay.due.notified().await;
    let program = restart.clone();
    let restarted = tokio::task::spawn_blocking(move || std::process::Command::new(program).status());
    assert!(restarted.await.unwrap().unwrap().success(), "{restart} failed");
    let error = publishing.await.unwrap().unwrap_err();
    assert!(error.is_outage(), "{error:?}");

    let of_model = Query::new().equals(VersionField::Name, name.as_str());
    assert_eq!(patient.models().search_versions(&of_model).await.unwrap().items.len(), 0);
    let version = patient.publish(publication).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let uri: ModelUri = format!("models:/{name}/{}", version.version).parse().unwrap();
    let fetched = patient.fetch(&uri, &Cache::open(dir.path()).unwrap()).await.unwrap();
    assert!(fetched.read_files().await.unwrap() == files);
    assert_eq!(patient.models().search_versions(&of_model).await.unwrap().items.len(), 1);
}
