//! Large files go past MLflow's artifact proxy, straight to and from the storage behind it, whatever goes wrong there; and nobody is told
//! the presigned URIs. `real_past_the_proxy.rs` does it with real servers.
#![cfg(feature = "rest")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use martello_registry_client::rest::{HttpOptions, MultipartOptions, PassBy, RestOptions};
use martello_registry_client::{
    ArtifactPath, Content, Digest, Error, ErrorKind, Location, PutOptions, Registry, Result,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// In every presigned URI.
const SIGNATURE: &str = "s3nt1nel";
const PART: usize = 1000;

/// What the storage does with a request: the line, how many like it came before; a status and a body, or what it does by itself.
type Fault = dyn Fn(&str, usize) -> Option<(u16, &'static str)> + Send + Sync;

/// MLflow and the storage behind it in one: what it was asked for, and what is stored.
#[derive(Default)]
struct State {
    seen: Vec<String>,
    parts: HashMap<String, Vec<u8>>,
    stored: Vec<u8>,
}

struct Server {
    address: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// `storage` is where the presigned URIs lead to; absent, here.
    async fn start(
        storage: Option<&str>,
        fault: impl Fn(&str, usize) -> Option<(u16, &'static str)> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, fault) = (state.clone(), Arc::new(fault));
        let storage = storage.unwrap_or(&address).to_owned();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, fault, storage) = (shared.clone(), fault.clone(), storage.clone());
                tokio::spawn(async move { serve(stream, &storage, &*fault, &shared).await });
            }
        });
        Self { address, state }
    }

    fn registry(&self, upload: PassBy, download: PassBy) -> Registry {
        let http =
            HttpOptions { backoff: Duration::from_millis(1), max_retries: 2, ..HttpOptions::default() };
        let multipart = MultipartOptions {
            upload,
            download,
            upload_minimum: 2 * PART as u64,
            upload_part_bytes: PART as u64,
            download_part_bytes: PART as u64,
            ..MultipartOptions::default()
        };
        Registry::mlflow(&self.address, RestOptions { http, multipart, ..RestOptions::default() }).unwrap()
    }

    async fn put(&self, upload: PassBy, bytes: &[u8]) -> Result<Digest> {
        let content = Content::from(bytes.to_vec());
        self.registry(upload, PassBy::Never)
            .artifacts()
            .put(&root(), &path(), content, PutOptions::default())
            .await
    }

    async fn get(&self, download: PassBy) -> Result<Vec<u8>> {
        let registry = self.registry(PassBy::Never, download);
        let mut stream = registry.artifacts().get(&root(), &path()).await?;
        let mut all = Vec::new();
        while let Some(piece) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
            all.extend_from_slice(&piece?);
        }
        Ok(all)
    }

    fn stored(&self) -> Vec<u8> {
        self.state.lock().unwrap().stored.clone()
    }

    fn count(&self, part: &str) -> usize {
        self.state.lock().unwrap().seen.iter().filter(|line| line.contains(part)).count()
    }
}

fn root() -> Location {
    "mlflow-artifacts:/0/r/artifacts".parse().unwrap()
}

fn path() -> ArtifactPath {
    "model/weights.bin".parse().unwrap()
}

fn content() -> Vec<u8> {
    (0..5 * PART + 7).map(|at| (at / 3) as u8).collect()
}

async fn serve(mut stream: TcpStream, storage: &str, fault: &Fault, state: &Mutex<State>) {
    let Some((head, body)) = read_request(&mut stream).await else { return };
    let line = head.lines().next().unwrap_or_default().to_owned();
    let reply = {
        let mut state = state.lock().unwrap();
        let nth = state.seen.iter().filter(|earlier| **earlier == line).count();
        state.seen.push(line.clone());
        match fault(&line, nth) {
            Some((status, body)) => (status, String::new(), body.as_bytes().to_vec()),
            None => answer(&line, &head, body, storage, &mut state),
        }
    };
    let (status, headers, body) = reply;
    let head = format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
}

fn answer(line: &str, head: &str, body: Vec<u8>, storage: &str, state: &mut State) -> (u16, String, Vec<u8>) {
    let ok = |text: String| (200, String::new(), text.into_bytes());
    if line.contains("/server-info") {
        return ok(r#"{"multipart_uploads_enabled":true,"multipart_downloads_enabled":true}"#.into());
    }
    if line.contains("/mpu/create/0/r/artifacts/model ") {
        let asked: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(asked["path"], "weights.bin", "the local path is nobody's business");
        let parts = (1..=asked["num_parts"].as_u64().unwrap())
            .map(|part| format!(r#"{{"url":"{storage}/bucket/key?part={part}&Signature={SIGNATURE}","part_number":{part},"headers":{{}}}}"#));
        return ok(format!(r#"{{"upload_id":"u","credentials":[{}]}}"#, parts.collect::<Vec<_>>().join(",")));
    }
    if line.contains("/mpu/complete/") {
        let asked: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let parts = asked["parts"].as_array().unwrap();
        state.stored =
            parts.iter().flat_map(|part| state.parts[part["etag"].as_str().unwrap()].clone()).collect();
        return ok("{}".into());
    }
    if line.contains("/mlflow-artifacts/presigned/") {
        let size = state.stored.len();
        return ok(format!(
            r#"{{"url":"{storage}/bucket/key?Signature={SIGNATURE}","headers":{{}},"file_size":{size}}}"#
        ));
    }
    if line.contains("/mlflow-artifacts/artifacts?path") {
        let size = state.stored.len();
        return ok(match size {
            0 => "{}".into(),
            _ => format!(r#"{{"files":[{{"path":"weights.bin","is_dir":false,"file_size":{size}}}]}}"#),
        });
    }
    if line.starts_with("PUT /bucket/key") {
        let part = line.split("part=").nth(1).unwrap().split('&').next().unwrap();
        state.parts.insert(format!("\"{part}\""), body);
        return (200, format!("etag: \"{part}\"\r\n"), Vec::new());
    }
    if line.starts_with("PUT ") {
        state.stored = body;
        return ok(String::new());
    }
    let range = head.lines().find_map(|line| line.strip_prefix("range: bytes="));
    let (Some(range), true) = (range, line.starts_with("GET /bucket/key")) else {
        return (200, String::new(), state.stored.clone());
    };
    let (first, last) = range.split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    let (size, end) = (state.stored.len(), (last + 1).min(state.stored.len()));
    let headers = format!("etag: \"1\"\r\ncontent-range: bytes {first}-{}/{size}\r\n", end - 1);
    (206, headers, state.stored[first..end].to_vec())
}

async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if bytes.len() >= at + 4 + length {
                return Some((head, bytes[at + 4..].to_vec()));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

#[track_caller]
fn assert_silent(error: &Error) {
    let mut told = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        told += &format!(" {error} {error:?}");
        cause = error.source();
    }
    assert!(!told.contains(SIGNATURE), "{told}");
}

#[tokio::test]
async fn a_large_file_goes_to_the_storage_and_comes_from_it_in_parts() {
    for wish in [PassBy::Offered, PassBy::Assumed] {
        let server = Server::start(None, |_, _| None).await;
        assert_eq!(server.put(wish, &content()).await.unwrap(), Digest::of(&content()));
        assert_eq!(server.stored(), content());
        assert_eq!(server.get(wish).await.unwrap(), content());
        let asked = [
            server.count("PUT /bucket"),
            server.count("GET /bucket"),
            server.count("mlflow-artifacts/artifacts/"),
        ];
        assert_eq!(asked, [6, 6, 0], "{wish:?}");
    }
}

#[tokio::test]
async fn small_files_and_those_of_whoever_does_not_want_it_go_through_the_server() {
    let server = Server::start(None, |_, _| None).await;
    server.put(PassBy::Offered, b"small").await.unwrap();
    assert_eq!((server.stored(), server.count("server-info")), (b"small".to_vec(), 0));
    server.put(PassBy::Never, &content()).await.unwrap();
    assert_eq!(server.get(PassBy::Never).await.unwrap(), content());
    assert_eq!(server.count("/bucket"), 0);
}

#[tokio::test]
async fn a_server_that_cannot_do_it_is_left_to_do_it_itself() {
    for (status, body) in
        [(404, "<!doctype html>"), (501, r#"{"error_code":"NOT_IMPLEMENTED","message":""}"#)]
    {
        let refuses = move |line: &str, _| {
            (line.contains("/mpu/") || line.contains("/presigned/")).then_some((status, body))
        };
        let server = Server::start(None, refuses).await;
        server.put(PassBy::Assumed, &content()).await.unwrap();
        assert_eq!(server.get(PassBy::Assumed).await.unwrap(), content());
        assert_eq!(server.count("/bucket"), 0);
    }
    let old =
        Server::start(None, |line, _| line.contains("server-info").then_some((404, "<!doctype html>"))).await;
    old.put(PassBy::Offered, &content()).await.unwrap();
    assert_eq!(old.get(PassBy::Offered).await.unwrap(), content());
    assert_eq!(old.count("/bucket") + old.count("/mpu/") + old.count("/presigned/"), 0);
}

#[tokio::test]
async fn a_storage_out_of_reach_costs_one_attempt_and_no_file() {
    let server = Server::start(Some("http://127.0.0.1:1"), |_, _| None).await;
    server.put(PassBy::Offered, &content()).await.unwrap();
    assert_eq!((server.stored(), server.count("/mpu/abort/")), (content(), 1));
    assert_eq!(server.get(PassBy::Offered).await.unwrap(), content());
}

#[tokio::test]
async fn parts_that_fail_are_tried_again_and_those_that_cannot_be_sent_leave_nothing() {
    let once =
        |line: &str, nth| (line.contains("/bucket") && line.contains("key") && nth == 0).then_some((503, ""));
    let server = Server::start(None, once).await;
    server.put(PassBy::Offered, &content()).await.unwrap();
    assert_eq!(server.get(PassBy::Offered).await.unwrap(), content());
    assert_eq!(server.stored(), content());

    let quotes =
        "<Error><Code>SignatureDoesNotMatch</Code><SignatureProvided>s3nt1nel</SignatureProvided></Error>";
    let server = Server::start(None, move |line, _| line.contains("part=3").then_some((403, quotes))).await;
    let error = server.put(PassBy::Offered, &content()).await.unwrap_err();
    assert_eq!(
        (error.kind(), server.count("/mpu/abort/"), server.count("/mpu/complete/")),
        (ErrorKind::PermissionDenied, 1, 0)
    );
    assert!(server.stored().is_empty() && error.to_string().contains("part 3"));
    assert_silent(&error);
}

#[tokio::test]
async fn an_upload_whose_last_answer_was_lost_is_looked_for() {
    // The second attempt finds no such upload any more.
    let server = Server::start(None, |line, nth| {
        (line.contains("/mpu/complete/") && nth > 0).then_some((500, "gone"))
    })
    .await;
    server.put(PassBy::Offered, &content()).await.unwrap();
    let lost =
        Server::start(None, |line, _| line.contains("/mpu/complete/").then_some((502, "<html>"))).await;
    assert_silent(&lost.put(PassBy::Offered, &content()).await.unwrap_err());
    assert_eq!(lost.count("/mpu/abort/"), 1);
}

#[tokio::test]
async fn a_signature_that_has_run_out_is_asked_for_again() {
    let server = Server::start(None, |line, nth| {
        (line.starts_with("GET /bucket") && nth == 3).then_some((403, "expired"))
    })
    .await;
    server.put(PassBy::Offered, &content()).await.unwrap();
    assert_eq!(server.get(PassBy::Offered).await.unwrap(), content());
    assert_eq!(server.count("/presigned/"), 2);
}
