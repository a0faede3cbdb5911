//! An MLflow server that refuses, stalls, breaks off or forgets to answer: nothing is done twice, nothing half is believed, and no secret
//! is told.
#![cfg(feature = "rest")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use martello_registry_client::rest::{Credentials, HttpOptions, RestOptions, ServerAnswer};
use martello_registry_client::{Cache, ErrorKind, ModelUri, NewRun, NewVersion, Registry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SECRET: &str = "hunter2-s3cret";

/// What the server does with a request, once it has read it.
#[derive(Clone)]
enum Act {
    /// Answers with this status, these headers and this body.
    Answer(u16, &'static str, String),
    /// Closes the connection without a word.
    Vanish,
    /// Announces 100 bytes and sends 4.
    BreakOff,
    /// Says nothing for as long as the client waits.
    Stall,
}

/// A server that does as told for each request line in turn, and remembers the requests.
struct Script {
    address: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Script {
    async fn start(act: impl Fn(&str, usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::<String>::new()));
        let (act, record) = (Arc::new(act), seen.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, act.clone(), record.clone()));
            }
        });
        Self { address, seen }
    }

    fn count(&self, part: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|request| request.contains(part)).count()
    }

    fn registry(&self) -> Registry {
        let http = HttpOptions {
            request_timeout: Duration::from_millis(500),
            idle_timeout: Duration::from_millis(500),
            backoff: Duration::from_millis(5),
            ..HttpOptions::default()
        };
        let credentials = Some(Credentials::basic("ann", SECRET));
        Registry::mlflow(&self.address, RestOptions { credentials, http, ..RestOptions::default() }).unwrap()
    }
}

async fn serve<A: Fn(&str, usize) -> Act>(mut stream: TcpStream, act: Arc<A>, seen: Arc<Mutex<Vec<String>>>) {
    let Some(request) = read_request(&mut stream).await else { return };
    let line = request.lines().next().unwrap_or_default().to_owned();
    let nth = {
        let mut seen = seen.lock().unwrap();
        let nth = seen.iter().filter(|earlier| earlier.lines().next() == Some(&line)).count();
        seen.push(request);
        nth
    };
    let text = match act(&line, nth) {
        Act::Vanish => return,
        Act::Stall => return std::future::pending().await,
        Act::BreakOff => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"ru".to_owned(),
        Act::Answer(status, headers, body) => {
            format!(
                "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            )
        }
    };
    let _ = stream.write_all(text.as_bytes()).await;
}

/// Reads a request with its body.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn version(request_id: &str) -> String {
    let tags = format!(r#"[{{"key":"mt.request_id","value":"{request_id}"}}]"#);
    format!(
        r#"{{"name":"m","version":"7","current_stage":"None","status":"READY","source":"s3://b/k","tags":{tags}}}"#
    )
}

fn run() -> String {
    r#"{"run":{"info":{"run_id":"r","experiment_id":"0","status":"RUNNING","artifact_uri":"mlflow-artifacts:/0/r"}}}"#.into()
}

fn json(status: u16, code: &str) -> Act {
    Act::Answer(
        status,
        "content-type: application/json\r\n",
        format!(r#"{{"error_code":"{code}","message":"told so"}}"#),
    )
}

fn ok(body: impl Into<String>) -> Act {
    Act::Answer(200, "content-type: application/json\r\n", body.into())
}

#[tokio::test]
async fn a_version_whose_answer_was_lost_is_found_and_not_made_again() {
    let script = Script::start(|line, nth| match line {
        _ if line.contains("model-versions/create") => Act::Vanish,
        // Nobody has it before the creation, somebody afterwards.
        _ if line.contains("model-versions/search") && nth == 0 => ok("{}"),
        _ if line.contains("model-versions/search") => {
            ok(format!(r#"{{"model_versions":[{}]}}"#, version("q")))
        }
        _ => json(404, "RESOURCE_DOES_NOT_EXIST"),
    })
    .await;
    let new = NewVersion {
        name: "m".into(),
        source: "s3://b/k".into(),
        request_id: Some("q".into()),
        ..NewVersion::default()
    };
    let made = script.registry().models().create_version(new).await.unwrap();
    assert_eq!((made.version, script.count("model-versions/create")), (7, 1));
}

#[tokio::test]
async fn a_run_that_was_not_made_is_made_again_and_once() {
    let script = Script::start(|line, nth| match line {
        _ if line.contains("runs/create") && nth == 0 => Act::Stall,
        _ if line.contains("runs/create") => ok(run()),
        _ => ok("{}"),
    })
    .await;
    let made = script.registry().tracking().create_run(NewRun::in_experiment("0")).await.unwrap();
    assert_eq!((made.run_id.as_str(), script.count("runs/create"), script.count("runs/search")), ("r", 2, 1));
}

#[tokio::test]
async fn a_version_without_a_request_id_is_never_posted_twice() {
    let script = Script::start(|_, _| Act::Vanish).await;
    let new = NewVersion { name: "m".into(), source: "s3://b/k".into(), ..NewVersion::default() };
    let error = script.registry().models().create_version(new).await.unwrap_err();
    assert_eq!((error.kind(), script.count("model-versions/create")), (ErrorKind::Ambiguous, 1), "{error:?}");
}

#[tokio::test]
async fn a_lost_race_is_run_again() {
    let script = Script::start(|line, nth| match (line.contains("create"), nth) {
        (true, 0) => Act::Answer(
            500,
            "",
            r#"{"error_code":"INTERNAL_ERROR","message":"Giving up after 3 attempts"}"#.into(),
        ),
        (true, 1) => Act::Answer(
            400,
            "",
            r#"{"error_code":"BAD_REQUEST","message":"transaction has been rolled back"}"#.into(),
        ),
        _ => ok(format!(r#"{{"model_version":{}}}"#, version("q"))),
    })
    .await;
    let new = NewVersion { name: "m".into(), source: "s3://b/k".into(), ..NewVersion::default() };
    assert_eq!(script.registry().models().create_version(new).await.unwrap().version, 7);
    assert_eq!(script.count("model-versions/create"), 3);
}

#[tokio::test]
async fn reading_survives_every_passing_failure() {
    let script = Script::start(|_, nth| match nth {
        0 => Act::Vanish,
        1 => Act::BreakOff,
        2 => Act::Answer(502, "", "<html>bad gateway</html>".into()),
        3 => Act::Stall,
        4 => json(503, "TEMPORARILY_UNAVAILABLE"),
        _ => ok(run()),
    })
    .await;
    assert_eq!(script.registry().tracking().get_run("r").await.unwrap().run_id, "r");
    assert_eq!(script.count("runs/get"), 6);
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_waited_for() {
    let script = Script::start(|_, nth| match nth {
        0 => Act::Answer(429, "retry-after: 1\r\n", "slow down".into()),
        _ => ok(run()),
    })
    .await;
    let begun = Instant::now();
    script.registry().tracking().get_run("r").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());

    let script = Script::start(|_, _| Act::Answer(429, "retry-after: 3600\r\n", "slow down".into())).await;
    let error = script.registry().tracking().get_run("r").await.unwrap_err();
    assert_eq!((error.kind(), script.count("runs/get")), (ErrorKind::Unavailable, 1), "an hour is too long");
}

#[tokio::test]
async fn lasting_failures_are_told_at_once_and_without_secrets() {
    for (act, kind) in [
        (
            Act::Answer(401, "www-authenticate: Basic\r\n", "You are not authenticated".into()),
            ErrorKind::Unauthenticated,
        ),
        (Act::Answer(403, "", "Permission denied".into()), ErrorKind::PermissionDenied),
        (
            Act::Answer(302, "location: https://u:hunter2-s3cret@h/\r\n", String::new()),
            ErrorKind::InvalidArgument,
        ),
        (Act::Answer(404, "", "<!doctype html>".into()), ErrorKind::Unsupported),
        (json(404, "RESOURCE_DOES_NOT_EXIST"), ErrorKind::NotFound),
        (ok("<html>a login page</html>"), ErrorKind::Protocol),
    ] {
        let script = Script::start(move |_, _| act.clone()).await;
        let registry = script.registry();
        let error = registry.tracking().get_run("r").await.unwrap_err();
        assert_eq!((error.kind(), script.count("runs/get")), (kind, 1), "{error:?}");
        assert!(script.count("authorization: Basic") == 1, "the credentials were sent");
        let printed = format!("{error} {error:?} {registry:?}");
        assert!(!printed.contains(SECRET) && !printed.contains("YW5uOm"), "{printed}");
    }
}

#[tokio::test]
async fn an_error_keeps_what_the_server_said() {
    let script = Script::start(|_, _| json(400, "INVALID_PARAMETER_VALUE")).await;
    let error = script.registry().tracking().get_run("r").await.unwrap_err();
    let answer = std::error::Error::source(&error).unwrap().downcast_ref::<ServerAnswer>().unwrap();
    assert_eq!(
        (answer.status(), answer.error_code(), answer.message()),
        (400, Some("INVALID_PARAMETER_VALUE"), "told so")
    );
}

#[tokio::test]
async fn nobody_at_the_address_is_an_outage() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let http = HttpOptions { max_retries: 1, backoff: Duration::from_millis(1), ..HttpOptions::default() };
    let registry =
        Registry::mlflow(&format!("http://{address}"), RestOptions { http, ..RestOptions::default() })
            .unwrap();
    // Even what must not be done twice certainly was not done.
    let error = registry.tracking().create_run(NewRun::in_experiment("0")).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.is_outage(), "{error:?}");
}

#[tokio::test]
async fn half_an_artifact_is_never_kept() {
    let script = Script::start(|line, _| match line {
        _ if line.contains("artifacts?path") => {
            ok(r#"{"files":[{"path":"MLmodel","is_dir":false,"file_size":100}]}"#)
        }
        _ => Act::BreakOff,
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path()).unwrap();
    let uri: ModelUri = "mlflow-artifacts:/0/r/artifacts/model".parse().unwrap();
    script.registry().fetch(&uri, &cache).await.unwrap_err();
    assert_eq!(cache.recall(script.registry().uri(), &uri).await.unwrap_err().kind(), ErrorKind::NotFound);
}
