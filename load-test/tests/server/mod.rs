//! A server on real sockets that does to each request what its script says.

// Every test binary uses a part of this.
#![allow(dead_code)]

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// What happens to one request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// These bytes after this time; the connection stays open.
    Answer { after: Duration, bytes: Vec<u8> },
    /// These bytes, then the connection is closed.
    Last { bytes: Vec<u8> },
    /// These bytes, then the same chunk again and again, this far apart.
    Endless { bytes: Vec<u8>, chunk: Vec<u8>, pause: Duration },
    /// These bytes, then the connection is reset.
    Reset { bytes: Vec<u8> },
    /// Silence.
    Nothing,
}

impl Reply {
    /// A 200 with `body`, at once.
    pub(crate) fn ok(body: &str) -> Self {
        Self::after(Duration::ZERO, body)
    }

    pub(crate) fn after(after: Duration, body: &str) -> Self {
        Self::Answer { after, bytes: response("200 OK", "", body) }
    }

    pub(crate) fn status(line: &str, headers: &str) -> Self {
        Self::Answer { after: Duration::ZERO, bytes: response(line, headers, "") }
    }
}

pub(crate) fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Its place among all requests, from 0.
    pub(crate) number: u64,
    /// Head and body as text.
    pub(crate) text: String,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    requests: Arc<AtomicU64>,
    open: Arc<AtomicUsize>,
    service_times: Arc<Mutex<Vec<Duration>>>,
}

impl Seen {
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn open_connections(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// How long the server itself took for each answer, in ascending order.
    pub(crate) fn service_times(&self) -> Vec<Duration> {
        let mut times = self.service_times.lock().unwrap().clone();
        times.sort_unstable();
        times
    }
}

/// Ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) seen: Seen,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Seen::default();
        let task = tokio::spawn(accept(listener, Arc::new(script), seen.clone()));
        Self { url, seen, task }
    }
}

type Script = dyn Fn(&Request) -> Reply + Send + Sync;

async fn accept(listener: TcpListener, script: Arc<Script>, seen: Seen) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        connections.spawn(serve(stream, Arc::clone(&script), seen.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Script>, seen: Seen) {
    seen.open.fetch_add(1, Ordering::SeqCst);
    // An error is a client that left, which is its right.
    let _ = converse(&mut stream, &script, &seen).await;
    seen.open.fetch_sub(1, Ordering::SeqCst);
}

async fn converse(stream: &mut TcpStream, script: &Arc<Script>, seen: &Seen) -> std::io::Result<()> {
    while let Some(text) = read_request(stream).await? {
        let received = Instant::now();
        let number = seen.requests.fetch_add(1, Ordering::SeqCst);
        match script(&Request { number, text }) {
            Reply::Answer { after, bytes } => {
                if !after.is_zero() {
                    tokio::time::sleep(after).await;
                }
                seen.service_times.lock().unwrap().push(received.elapsed());
                stream.write_all(&bytes).await?;
            }
            Reply::Last { bytes } => return stream.write_all(&bytes).await,
            Reply::Endless { bytes, chunk, pause } => {
                stream.write_all(&bytes).await?;
                loop {
                    stream.write_all(&chunk).await?;
                    tokio::time::sleep(pause).await;
                }
            }
            Reply::Reset { bytes } => {
                stream.write_all(&bytes).await?;
                return stream.set_zero_linger();
            }
            // Until the client leaves.
            Reply::Nothing => drop(stream.read(&mut [0; 1]).await?),
        }
    }
    Ok(())
}

/// One request with its body; `None` when the client closed the connection.
async fn read_request(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return Ok(Some(text.into_owned()));
        }
    }
}
