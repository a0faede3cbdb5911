//! A real S3 server behind a line that fails: refusals, trouble, bodies that end early, come slowly or are cut off.
//!
//! `.ci/real-servers` starts the server and sets `MARTELLO_TEST_S3_ROOT` to a location in a bucket that the environment has the key
//! for; without it, each test says that it was skipped.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

#[allow(dead_code, reason = "each test file uses its part")]
mod testkit;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use martello_registry_client::rest::{MlflowClient, RestOptions};
use martello_registry_client::{
    ArtifactPath, ArtifactStore, Cache, Content, Digest, ErrorKind, Location, ModelUri, PutOptions, Registry,
    S3Artifacts, S3Options, TrackingUri,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// The least that S3 takes for a part that is not the last.
const PART: usize = 5 << 20;

/// What the line does with a request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// Lets it through.
    None,
    /// Answers instead of the server, which never hears of it.
    Answer(u16, &'static str),
    /// Lets the server do it, and answers something else.
    Instead(u16, &'static str),
    /// Breaks the connection after so many bytes of the request's body.
    Reset(usize),
    /// Ends the answer after so many bytes of its body.
    Truncate(usize),
    /// Lets the head of the answer and then a byte now and then through.
    Dribble,
    /// Says nothing at all.
    Stall,
}

/// A line to the server that does as told for each request, of which it is told the line and how many like it came before.
struct Line {
    endpoint: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Line {
    async fn to_server(fault: impl Fn(&str, usize) -> Fault + Send + Sync + 'static) -> Self {
        let server = S3Options::from_env().unwrap().endpoint.unwrap();
        let server = server.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::<String>::new()));
        let (fault, record) = (Arc::new(fault), seen.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (fault, record, server) = (fault.clone(), record.clone(), server.clone());
                tokio::spawn(async move {
                    // The client may go away at any time.
                    let _ = carry(client, &server, &*fault, &record).await;
                });
            }
        });
        Self { endpoint, seen }
    }

    fn store(&self) -> S3Artifacts {
        S3Artifacts::new(S3Options {
            endpoint: Some(self.endpoint.clone()),
            part_bytes: PART as u64,
            parallel_parts: 2,
            request_timeout: Duration::from_secs(2),
            idle_timeout: Duration::from_millis(300),
            max_retries: 3,
            backoff: Duration::from_millis(5),
            ..S3Options::from_env().unwrap()
        })
        .unwrap()
    }

    fn count(&self, method: &str, part: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|line| line.starts_with(method) && line.contains(part)).count()
    }
}

/// Carries one request and its answer; then the connection ends, so that each request has one of its own.
async fn carry(
    mut client: TcpStream,
    server: &str,
    fault: &(dyn Fn(&str, usize) -> Fault + Send + Sync),
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (head, body) = head(&mut client).await?;
    let line = head.lines().next().unwrap_or_default().to_owned();
    let fault = {
        let mut seen = seen.lock().unwrap();
        let nth = seen.iter().filter(|earlier| **earlier == line).count();
        seen.push(line.clone());
        fault(&line, nth)
    };
    let length = length(&head);
    match fault {
        Fault::Stall => std::future::pending().await,
        Fault::Answer(status, code) => {
            drain(&mut client, length.saturating_sub(body.len())).await?;
            return answer(&mut client, status, code).await;
        }
        Fault::Reset(after) => {
            drain(&mut client, after.saturating_sub(body.len())).await?;
            return client.set_zero_linger();
        }
        _ => {}
    }
    let mut server = TcpStream::connect(server).await?;
    server.write_all(head.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1).as_bytes()).await?;
    server.write_all(&body).await?;
    match fault {
        Fault::Instead(status, code) => {
            let mut rest = (&mut client).take((length - body.len()) as u64);
            tokio::io::copy(&mut rest, &mut server).await?;
            tokio::io::copy(&mut server, &mut tokio::io::sink()).await?;
            answer(&mut client, status, code).await
        }
        Fault::Truncate(after) => {
            let (head, mut body) = self::head(&mut server).await?;
            while body.len() < after && server.read_buf(&mut body).await? > 0 {}
            client.write_all(head.as_bytes()).await?;
            client.write_all(&body[..after.min(body.len())]).await
        }
        Fault::Dribble => {
            let (head, mut body) = self::head(&mut server).await?;
            while body.len() < 10_000 && server.read_buf(&mut body).await? > 0 {}
            client.write_all(head.as_bytes()).await?;
            for byte in body {
                client.write_all(&[byte]).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        }
        _ => copy_bidirectional(&mut client, &mut server).await.map(drop),
    }
}

/// Reads up to the end of a head; returns it and what came of the body.
async fn head(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = bytes.split_off(at + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), body));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn length(head: &str) -> usize {
    let value = |line: &str| line.to_ascii_lowercase().strip_prefix("content-length: ")?.trim().parse().ok();
    head.lines().find_map(value).unwrap_or(0)
}

async fn drain(stream: &mut TcpStream, bytes: usize) -> std::io::Result<()> {
    tokio::io::copy(&mut stream.take(bytes as u64), &mut tokio::io::sink()).await.map(drop)
}

/// Answers as S3 does, or without a code as a proxy in between.
async fn answer(client: &mut TcpStream, status: u16, code: &str) -> std::io::Result<()> {
    let (kind, body) = match code {
        "" => ("text/html", "<html>bad gateway</html>".to_owned()),
        code => (
            "application/xml",
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as told</Message></Error>"),
        ),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await?;
    client.write_all(body.as_bytes()).await?;
    client.shutdown().await
}

/// The location to test in, and a store that reaches it without faults.
fn server() -> Option<(Location, S3Artifacts)> {
    let Ok(root) = std::env::var("MARTELLO_TEST_S3_ROOT") else {
        eprintln!("SKIPPED: MARTELLO_TEST_S3_ROOT names no bucket; .ci/real-servers makes one");
        return None;
    };
    let root: Location = format!("{root}/{}", testkit::unique("faults")).parse().unwrap();
    Some((root, S3Artifacts::new(S3Options::from_env().unwrap()).unwrap()))
}

fn content(len: usize) -> Vec<u8> {
    (0..len as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn path() -> ArtifactPath {
    "weights.bin".parse().unwrap()
}

async fn read(store: &S3Artifacts, root: &Location) -> martello_registry_client::Result<Vec<u8>> {
    let mut pieces = store.get(root, &path()).await?;
    let mut all = Vec::new();
    while let Some(piece) = std::future::poll_fn(|cx| pieces.as_mut().poll_next(cx)).await {
        all.extend_from_slice(&piece?);
    }
    Ok(all)
}

#[tokio::test]
async fn trouble_that_passes_is_waited_out_and_refusals_are_told_at_once() {
    let Some((root, store)) = server() else { return };
    let bytes = content(100_000);
    store.put(&root, &path(), bytes.clone().into(), PutOptions::default()).await.unwrap();
    for (status, code) in [(503, "SlowDown"), (500, "InternalError"), (502, ""), (429, "SlowDown")] {
        let line =
            Line::to_server(move |_, nth| if nth < 2 { Fault::Answer(status, code) } else { Fault::None })
                .await;
        assert!(read(&line.store(), &root).await.unwrap() == bytes, "{status} {code}");
        assert_eq!(line.count("GET", "weights.bin"), 3, "{status} {code}");
        let line =
            Line::to_server(move |_, nth| if nth < 2 { Fault::Answer(status, code) } else { Fault::None })
                .await;
        line.store().put(&root, &path(), bytes.clone().into(), PutOptions::default()).await.unwrap();
        assert_eq!(line.count("PUT", "weights.bin"), 3, "{status} {code}");
        let line = Line::to_server(move |_, _| Fault::Answer(status, code)).await;
        let error = read(&line.store(), &root).await.unwrap_err();
        assert_eq!(
            (error.kind(), line.count("GET", "weights.bin")),
            (ErrorKind::Unavailable, 4),
            "{error:?}"
        );
    }
    for (status, code, kind) in [
        (403, "AccessDenied", ErrorKind::PermissionDenied),
        (403, "SignatureDoesNotMatch", ErrorKind::Unauthenticated),
        (404, "NoSuchBucket", ErrorKind::NotFound),
        (507, "XMinioStorageFull", ErrorKind::StorageFull),
    ] {
        let line = Line::to_server(move |_, _| Fault::Answer(status, code)).await;
        let error = read(&line.store(), &root).await.unwrap_err();
        assert_eq!((error.kind(), line.count("GET", "weights.bin")), (kind, 1), "{error:?}");
        let error =
            line.store().put(&root, &path(), bytes.clone().into(), PutOptions::default()).await.unwrap_err();
        assert_eq!((error.kind(), line.count("PUT", "weights.bin")), (kind, 1), "{error:?}");
    }
    assert!(read(&store, &root).await.unwrap() == bytes, "the object is as it was");
}

#[tokio::test]
async fn a_download_that_breaks_off_is_taken_up_where_it_was() {
    let Some((root, store)) = server() else { return };
    for len in [300_000, 4 * PART + 17] {
        let bytes = content(len);
        store.put(&root, &path(), bytes.clone().into(), PutOptions::default()).await.unwrap();
        // Every second connection brings 100 kB.
        let count = std::sync::atomic::AtomicUsize::new(0);
        let line = Line::to_server(move |_, _| {
            let at = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if at.is_multiple_of(2) { Fault::Truncate(100_000) } else { Fault::None }
        })
        .await;
        assert!(read(&line.store(), &root).await.unwrap() == bytes, "{len}");
        let line = Line::to_server(|_, _| Fault::Truncate(10)).await;
        let error = read(&line.store(), &root).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_sends_next_to_nothing_is_not_waited_for() {
    let Some((root, store)) = server() else { return };
    let bytes = content(300_000);
    store.put(&root, &path(), bytes.clone().into(), PutOptions::default()).await.unwrap();
    for fault in [Fault::Dribble, Fault::Stall] {
        let line = Line::to_server(move |_, nth| if nth == 0 { fault } else { Fault::None }).await;
        assert!(read(&line.store(), &root).await.unwrap() == bytes, "{fault:?}");
    }
    let line = Line::to_server(|_, _| Fault::Dribble).await;
    let error = read(&line.store(), &root).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

#[tokio::test]
async fn an_upload_in_parts_survives_resets_and_leaves_nothing_when_it_fails() {
    let Some((root, store)) = server() else { return };
    let bytes = content(3 * PART + 1000);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let put = |store: S3Artifacts| {
        let (root, content) = (root.clone(), Content::File(file.path().into()));
        async move { store.put(&root, &path(), content, PutOptions::default()).await }
    };

    // Each part is reset in its middle once, and the answer to the end of it all is lost.
    let line = Line::to_server(|line, nth| match nth {
        0 if line.contains("partNumber=") => Fault::Reset(PART / 2),
        0 if line.starts_with("POST") && line.contains("uploadId=") => Fault::Instead(500, "InternalError"),
        _ => Fault::None,
    })
    .await;
    assert_eq!(put(line.store()).await.unwrap(), Digest::of(&bytes));
    // Sent again after its reset; a busy machine may have cut another attempt short.
    assert!(line.count("PUT", "partNumber=2") >= 2);
    assert!(read(&store, &root).await.unwrap() == bytes);

    // A part that is never taken: the upload is given up, told so to the server, and nothing is there.
    store.delete_prefix(&root, &path()).await.unwrap();
    let line = Line::to_server(|line, _| match line.contains("partNumber=2") {
        true => Fault::Answer(403, "AccessDenied"),
        false => Fault::None,
    })
    .await;
    let error = put(line.store()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
    assert_eq!((line.count("DELETE", "uploadId="), line.count("PUT", "partNumber=2")), (1, 1));
    assert!(store.stat(&root, &path()).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn half_a_model_is_never_kept_in_the_cache() {
    let Some((root, store)) = server() else { return };
    let folder: ArtifactPath = "model".parse().unwrap();
    store
        .put(&root, &folder.join(&path()).unwrap(), content(300_000).into(), PutOptions::default())
        .await
        .unwrap();
    let uri: ModelUri = format!("{root}/model").parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path().join("cache")).unwrap();
    // Nobody has to be asked what an address of S3 means.
    let nobody = Arc::new(MlflowClient::new("http://127.0.0.1:9", RestOptions::default()).unwrap());
    let over = |store: S3Artifacts| {
        let uri = TrackingUri::Http("http://127.0.0.1:9".into());
        Registry::from_parts(uri, nobody.clone(), nobody.clone(), Arc::new(store))
    };
    let line = Line::to_server(|line, _| match line.starts_with("GET") && line.contains("weights.bin") {
        true => Fault::Truncate(1000),
        false => Fault::None,
    })
    .await;
    over(line.store()).fetch(&uri, &cache).await.unwrap_err();
    assert!(std::fs::read_dir(cache.dir().join("models")).unwrap().next().is_none());
    assert!(std::fs::read_dir(cache.dir().join("tmp")).unwrap().next().is_none());
    let fetched = over(store.clone()).fetch(&uri, &cache).await.unwrap();
    assert_eq!(fetched.read_files().await.unwrap()[0].1.len(), 300_000);
}
