//! What the tests of the wire share: replicas and clients that speak in raw bytes, and a proxy between them.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use martello_balancer::{
    ConnectionStats, EndpointConfig, HttpEndpoint, Proxy, ProxyRules, ServerConfig, listen, serve,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything here takes; a test that comes to it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Reads to the end of a head, and not a byte further.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let read = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
    };
    timeout(PATIENCE, read).await.expect("a head comes");
    String::from_utf8(head).unwrap()
}

/// What a replica does with a request that it has read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// Answers and waits for the next request.
    Answer(&'static [u8]),
    /// Answers and closes.
    AnswerAndClose(&'static [u8]),
    /// Answers, and closes when it is told to.
    AnswerThenClose(&'static [u8]),
    /// Says nothing.
    Silence,
}

/// A replica that answers every request in the same way and remembers what it was asked.
pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
    closing: Arc<Notify>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Heard {
    requests: Vec<String>,
    connections: usize,
    closed: usize,
}

impl Replica {
    pub(crate) async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let closing = Arc::new(Notify::new());
        let (shared, told) = (Arc::clone(&heard), Arc::clone(&closing));
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                shared.lock().unwrap().connections += 1;
                tokio::spawn(answer_all(stream, reply, Arc::clone(&shared), Arc::clone(&told)));
            }
        });
        Self { address, heard, closing, accepting }
    }

    /// Every request so far, whole.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.heard.lock().unwrap().requests.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.heard.lock().unwrap().connections
    }

    /// Closes connections that wait for it.
    pub(crate) fn close_all(&self) {
        self.closing.notify_one();
    }

    /// Waits until so many connections were closed by the other side.
    pub(crate) async fn closed(&self, count: usize) {
        until(|| self.heard.lock().unwrap().closed >= count).await;
    }

    /// Waits until so many requests have come.
    pub(crate) async fn asked(&self, count: usize) {
        until(|| self.heard.lock().unwrap().requests.len() >= count).await;
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer_all(mut stream: TcpStream, reply: Reply, heard: Arc<Mutex<Heard>>, told: Arc<Notify>) {
    let mut buffer = Vec::new();
    while let Some(request) = read_message(&mut stream, &mut buffer).await {
        heard.lock().unwrap().requests.push(request);
        let (answer, ends) = match reply {
            Reply::Answer(answer) => (answer, false),
            Reply::AnswerAndClose(answer) | Reply::AnswerThenClose(answer) => (answer, true),
            Reply::Silence => (&b""[..], false),
        };
        let failed = stream.write_all(answer).await.is_err();
        if let Reply::AnswerThenClose(_) = reply {
            told.notified().await;
        }
        if failed || ends {
            return;
        }
    }
    heard.lock().unwrap().closed += 1;
}

/// Waits for a condition that other tasks bring about.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let met = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, met).await.expect("the condition comes true");
}

/// Reads one message: a head, and a body by its length or its chunks. `None` at the end of the connection.
pub(crate) async fn read_message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    // What was searched is not searched again: a test of ten megabytes would take minutes.
    let mut searched = 0;
    loop {
        if let Some(length) = message_length(buffer, searched) {
            return Some(String::from_utf8_lossy(&buffer.drain(..length).collect::<Vec<_>>()).into_owned());
        }
        searched = buffer.len().saturating_sub(5);
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn message_length(bytes: &[u8], searched: usize) -> Option<usize> {
    let head = find(bytes, b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    if text.contains("transfer-encoding: chunked") {
        let from = searched.max(head);
        return Some(from + find(&bytes[from..], b"0\r\n\r\n")? + 5);
    }
    let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    let whole = head + length.unwrap_or(0_usize);
    (bytes.len() >= whole).then_some(whole)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A proxy in front of one endpoint.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    pub(crate) stats: ConnectionStats,
    shutdown: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Front {
    pub(crate) async fn start(replica: SocketAddr) -> Self {
        Self::with(replica, ServerConfig::default(), EndpointConfig::default()).await
    }

    pub(crate) async fn with(replica: SocketAddr, server: ServerConfig, endpoint: EndpointConfig) -> Self {
        let endpoint = HttpEndpoint::new(replica, endpoint);
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let stats = ConnectionStats::new();
        let (shutdown, asked) = oneshot::channel::<()>();
        let make = move |peer| Proxy::new(endpoint.clone(), peer, ProxyRules::default());
        let until = async {
            let _ = asked.await;
        };
        let serving = tokio::spawn(serve(listener, make, server, stats.clone(), until));
        Self { address, stats, shutdown: Some(shutdown), serving }
    }

    /// Asks for the end.
    pub(crate) fn shut_down(&mut self) {
        self.shutdown.take().expect("it is asked once").send(()).expect("it is serving");
    }

    /// Waits for the end.
    pub(crate) async fn ended(&mut self) {
        timeout(PATIENCE, &mut self.serving).await.expect("it ends").expect("it does not panic");
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A client that says exactly what it is told to.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next answer, whole; `None` when the connection ended before it.
    pub(crate) async fn answer(&mut self) -> Option<String> {
        timeout(PATIENCE, read_message(&mut self.stream, &mut self.buffer)).await.expect("there is an answer")
    }

    /// Sends a request and returns its answer.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> String {
        self.send(request).await;
        self.answer().await.expect("the connection lives")
    }

    /// Everything up to the end of the connection, and whether the end was clean.
    pub(crate) async fn rest(&mut self) -> (String, bool) {
        let mut bytes = std::mem::take(&mut self.buffer);
        let read = timeout(PATIENCE, self.stream.read_to_end(&mut bytes)).await.expect("the connection ends");
        (String::from_utf8_lossy(&bytes).into_owned(), read.is_ok())
    }
}

/// An answer's status code.
pub(crate) fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status in {answer:?}"))
}

/// A message's body.
pub(crate) fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").expect("there is a head").1
}
