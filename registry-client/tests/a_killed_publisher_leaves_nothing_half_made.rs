//! `kill -9` at random moments of publishing: what was acknowledged is complete, what can be seen is complete, and running again
//! completes what was interrupted.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use martello_registry_client::{
    ArtifactStore, Cache, LocalArtifacts, ModelUri, NewRun, Publication, Query, REQUEST_ID_TAG, Registry,
    VersionField,
};

/// How many publishers are killed, unless [`KILLS`] says otherwise.
const ROUNDS: u32 = 60;

/// The variable that says how many publishers are killed.
const KILLS: &str = "MARTELLO_TEST_KILLS";

/// By how much the next publisher lives longer if the last one achieved nothing, or shorter if it did: so about half of them
/// achieve something, however fast the machine is.
const ADAPT: f64 = 1.25;

/// Tells this test's own binary to be the publisher.
const FOLDER: &str = "MARTELLO_TEST_PUBLISH_INTO";

const MODEL: &str = "killed";

fn files(request: &str) -> Vec<(String, Vec<u8>)> {
    (0..5).map(|at| (format!("part-{at}/data"), request.repeat(1000 * at).into_bytes())).collect()
}

fn publication(request: &str, run_id: &str) -> Publication {
    Publication { request_id: Some(request.to_owned()), ..Publication::new(MODEL, run_id, files(request)) }
}

/// The publisher: says what it begins and what was acknowledged, until it is killed. Does nothing in an ordinary test run.
#[tokio::test]
async fn publisher_process() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let registry = Registry::embedded(folder).await.unwrap();
    let say = |line: String| writeln!(std::io::stdout().lock(), "{line}").unwrap();
    // Ends the line that the test harness has begun.
    say(String::new());
    loop {
        let run = registry.tracking().create_run(NewRun::in_experiment("0")).await.unwrap();
        let request = format!("request-{}", run.run_id);
        say(format!("begin {request} {}", run.run_id));
        let version = registry.publish(publication(&request, &run.run_id)).await.unwrap();
        say(format!("done {request} {}", version.version));
    }
}

/// What the publishers said.
#[derive(Default)]
struct Said {
    begun: Vec<(String, String)>,
    done: Vec<(String, u32)>,
}

impl Said {
    fn hear(&mut self, line: &str) {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["begin", request, run_id] => self.begun.push(((*request).to_owned(), (*run_id).to_owned())),
            ["done", request, version] => self.done.push(((*request).to_owned(), version.parse().unwrap())),
            _ => {}
        }
    }
}

/// Runs a publisher, kills it some time after it began its first publication, and hears it out.
fn kill_a_publisher(folder: &Path, after: Duration, said: &mut Said) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "publisher_process", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (lines, heard) = mpsc::channel();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        output.lines().map_while(Result::ok).try_for_each(|line| lines.send(line))
    });
    let mut deadline = Instant::now() + Duration::from_secs(30);
    let mut started = false;
    while let Ok(line) = heard.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        if line.starts_with("begin") && !started {
            (started, deadline) = (true, Instant::now() + after);
        }
        said.hear(&line);
    }
    assert!(started, "the publisher should begin within half a minute");
    child.kill().unwrap();
    child.wait().unwrap();
    let _ = reader.join().unwrap();
    heard.try_iter().for_each(|line| said.hear(&line));
}

/// Publishes undisturbed and returns how long it took.
async fn publish_once(registry: &Registry, said: &mut Said) -> Duration {
    let run = registry.tracking().create_run(NewRun::in_experiment("0")).await.unwrap();
    let start = Instant::now();
    let version = registry.publish(publication("undisturbed", &run.run_id)).await.unwrap();
    said.begun.push(("undisturbed".to_owned(), run.run_id));
    said.done.push(("undisturbed".to_owned(), version.version));
    start.elapsed()
}

async fn fetched(registry: &Registry, version: u32) -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path()).unwrap();
    let uri: ModelUri = format!("models:/{MODEL}/{version}").parse().unwrap();
    let model = registry.fetch(&uri, &cache).await.expect("a version that can be seen can be fetched");
    model.read_files().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_publisher_leaves_nothing_half_made() {
    let dir = tempfile::tempdir().unwrap();
    let mut said = Said::default();
    let registry = Registry::embedded(dir.path()).await.unwrap();
    let mut lifetime = publish_once(&registry, &mut said).await;
    let rounds = std::env::var(KILLS).map_or(ROUNDS, |text| text.parse().expect(KILLS));
    for _ in 0..rounds {
        let (random, before) =
            (f64::from(uuid::Uuid::new_v4().as_u128() as u32) / f64::from(u32::MAX), said.done.len());
        kill_a_publisher(dir.path(), lifetime.mul_f64(2.0 * random), &mut said);
        lifetime = lifetime.mul_f64(if said.done.len() > before { 1.0 / ADAPT } else { ADAPT });
    }
    for (request, version) in &said.done {
        let found =
            registry.models().get_version(MODEL, *version).await.expect("what was acknowledged is there");
        assert_eq!(found.tags[REQUEST_ID_TAG], *request);
    }
    let mut interrupted = 0;
    for (request, run_id) in &said.begun {
        interrupted += usize::from(!said.done.iter().any(|(done, _)| done == request));
        let version =
            registry.publish(publication(request, run_id)).await.expect("running again completes it");
        assert_eq!(fetched(&registry, version.version).await, files(request));
    }
    let query = Query::new().equals(VersionField::Name, MODEL).page_size(200_000);
    let versions = registry.models().search_versions(&query).await.unwrap().items;
    assert_eq!(
        versions.len(),
        said.begun.len(),
        "each request made one version, however often it was repeated"
    );
    let database = rusqlite::Connection::open(dir.path().join("mlflow.db")).unwrap();
    let integrity: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok");
    let (done, few) = (said.done.len(), rounds as usize / 10);
    eprintln!("{rounds} kills within {lifetime:?}, {done} acknowledged, {interrupted} interrupted");
    assert!(interrupted > few && done > few, "nothing was tested");
}

/// The manifest appears last, so a crash before it leaves a folder that is taken for a fresh start.
#[tokio::test]
async fn opening_again_clears_what_a_crash_left_long_ago() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalArtifacts::open(dir.path()).await.unwrap();
    let left = dir.path().join(".tmp/.mt-left.tmp");
    let file = std::fs::File::create(&left).unwrap();
    file.set_modified(std::time::SystemTime::now() - 2 * LocalArtifacts::ABANDONED_AFTER).unwrap();
    drop(store);
    let store = LocalArtifacts::open(dir.path()).await.unwrap();
    assert!(!left.exists());
    let root = martello_registry_client::Location::file(dir.path()).unwrap();
    assert!(store.stat(&root, &"nothing".parse().unwrap()).await.unwrap_err().is_not_found());
}
