//! Passwords, tokens and keys: sent where they belong, and in no error, no `Debug` and no log line, whatever goes wrong.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use martello_registry_client::rest::{Credentials, HttpOptions, Proxies, RestOptions};
use martello_registry_client::{
    ArtifactStore, Cache, Error, NewRun, NewVersion, PutOptions, Registry, RunStatus, S3Artifacts,
    S3Credentials, S3Options, Stage, Timestamp,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tracing::field::{Field, Visit};
use tracing::span;

/// In every secret there is; and as it looks in base 64, at each of the three places in a group, in what stands before it.
const SENTINEL: &str = "s3nt1nel";
const ENCODED: [&str; 3] = ["czNudDFuZW", "MzbnQxbmVs", "zM250MW5lb"];

/// Everything that anybody logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        writeln!(self.0, "{field} = {value:?}").unwrap();
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut Line(&mut self.0.lock().unwrap()));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[track_caller]
fn assert_silent(text: &str) {
    for secret in [SENTINEL].iter().chain(&ENCODED) {
        assert!(!text.contains(secret), "{secret} is told: {text}");
    }
}

/// Everything that an error can be asked for.
#[track_caller]
fn check(error: &Error) {
    let mut told = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(told, " {error} {error:?}").unwrap();
        cause = error.source();
    }
    assert_silent(&told);
}

/// A server that answers each connection in its own way: every status that matters, HTML, half an answer, none.
async fn moody() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, heard) = (listener.local_addr().unwrap().to_string(), Arc::new(Mutex::new(Vec::new())));
    let record = heard.clone();
    tokio::spawn(async move {
        let answers = [
            "HTTP/1.1 401 X\r\nwww-authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 403 X\r\ncontent-length: 6\r\n\r\ndenied",
            "HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{",
            "HTTP/1.1 200 X\r\ncontent-length: 6\r\n\r\n<html>",
            "no http at all",
            "",
        ];
        for answer in answers.iter().cycle() {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let mut request = vec![0; 64 << 10];
            let read = stream.read(&mut request).await.unwrap_or(0);
            record.lock().unwrap().push(String::from_utf8_lossy(&request[..read]).into_owned());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, heard)
}

fn impatient() -> HttpOptions {
    HttpOptions {
        max_retries: 1,
        request_timeout: Duration::from_millis(500),
        idle_timeout: Duration::from_millis(500),
        backoff: Duration::from_millis(1),
        ..HttpOptions::default()
    }
}

async fn ask_mlflow(registry: &Registry) {
    let (tracking, models) = (registry.tracking(), registry.models());
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path()).unwrap();
    let version = NewVersion { name: "m".into(), source: "s3://b/k".into(), ..NewVersion::default() };
    let (root, path) = ("mlflow-artifacts:/0/r".parse().unwrap(), "f".parse().unwrap());
    let artifacts = registry.artifacts();
    // Often enough for each call to meet each answer.
    for _ in 0..9 {
        let errors = [
            tracking.get_run("r").await.err(),
            tracking.create_run(NewRun::in_experiment("0")).await.err(),
            tracking.finish_run("r", RunStatus::Failed, Timestamp::now()).await.err(),
            models.create_version(version.clone()).await.err(),
            registry.promote("m", 1, Stage::Production, Some("champion")).await.err(),
            registry.fetch(&"models:/m@champion".parse().unwrap(), &cache).await.err(),
            artifacts.put(&root, &path, "x".into(), PutOptions::default()).await.err(),
            artifacts.get(&root, &path).await.err(),
            artifacts.list(&root, None).await.err(),
        ];
        errors.iter().flatten().for_each(check);
    }
}

#[tokio::test]
async fn nothing_that_goes_wrong_tells_a_secret() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let (address, heard) = moody().await;

    let uri = format!("http://ann:{SENTINEL}@{address}");
    for credentials in [None, Some(Credentials::bearer(SENTINEL)), Some(Credentials::basic("ann", SENTINEL))]
    {
        let options = RestOptions { credentials, http: impatient(), ..RestOptions::default() };
        assert_silent(&format!("{options:?}"));
        let registry = Registry::mlflow(&uri, options).unwrap();
        assert_silent(&format!("{registry:?} {} {:?}", registry.uri(), registry.uri()));
        ask_mlflow(&registry).await;
    }
    let proxies = Proxies { http: Some(format!("http://ann:{SENTINEL}@{address}")), ..Proxies::default() };
    let http = HttpOptions { proxies, ..impatient() };
    let registry =
        Registry::mlflow("http://server.invalid", RestOptions { http, ..RestOptions::default() }).unwrap();
    assert_silent(&format!("{registry:?}"));
    ask_mlflow(&registry).await;
    assert!(heard.lock().unwrap().iter().any(|head| head.contains("uthorization: ")), "they were sent");

    let credentials = S3Credentials::new(format!("key-{SENTINEL}"), SENTINEL).session_token(SENTINEL);
    for endpoint in [format!("http://{address}"), "http://127.0.0.1:1".to_owned()] {
        let options = S3Options {
            endpoint: Some(endpoint),
            credentials: Some(credentials.clone()),
            max_retries: 0,
            request_timeout: Duration::from_millis(500),
            ..S3Options::default()
        };
        assert_silent(&format!("{options:?}"));
        let store = S3Artifacts::new(options).unwrap();
        assert_silent(&format!("{store:?}"));
        let (root, path) = ("s3://bucket/key".parse().unwrap(), "f".parse().unwrap());
        for _ in 0..9 {
            let errors = [
                store.get(&root, &path).await.err(),
                store.put(&root, &path, "x".into(), PutOptions::default()).await.err(),
                store.put(&root, &path, vec![0; 9 << 20].into(), PutOptions::default()).await.err(),
                store.list(&root, None).await.err(),
                store.stat(&root, &path).await.err(),
                store.delete_prefix(&root, &path).await.err(),
            ];
            errors.iter().flatten().for_each(check);
        }
    }
    let log = log.0.lock().unwrap();
    assert!(log.contains("get run"), "calls are logged");
    assert_silent(&log);
}
