//! The load: clients that ask without a pause, or so many requests a second whatever becomes of them.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

/// How requests are offered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// So many clients, each with a connection, each asking again when it is answered and has paused so long.
    Closed(u64, Duration),
    /// So many requests a second.
    Open(u64),
}

/// Longer than any balancer here waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// The body of a prediction, as the replaced system takes it.
const PREDICTION: &str = r#"{"feature1":5.3,"feature2":2.1,"feature3":0.8}"#;

/// What became of the requests so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Predictions are asked for; else every answer must be the echo of its own request.
    predictions: bool,
    pub(crate) sent: AtomicU64,
    pub(crate) answered: AtomicU64,
    pub(crate) failed: AtomicU64,
    slowest_micros: AtomicU64,
    kinds: Mutex<BTreeMap<String, u64>>,
    stop: AtomicBool,
}

impl Ledger {
    /// The ledger of a load that asks for predictions.
    pub(crate) fn of_predictions() -> Self {
        Self { predictions: true, ..Self::default() }
    }

    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::SeqCst)
    }

    pub(crate) fn slowest(&self) -> Duration {
        Duration::from_micros(self.slowest_micros.load(Ordering::SeqCst))
    }

    /// Forgets the slowest request; returns it.
    pub(crate) fn take_slowest(&self) -> Duration {
        Duration::from_micros(self.slowest_micros.swap(0, Ordering::SeqCst))
    }

    /// Returns the failures by kind.
    pub(crate) fn kinds(&self) -> BTreeMap<String, u64> {
        self.kinds.lock().expect("nobody panics with it").clone()
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn enter(&self, took: Duration, result: Result<(), String>) {
        self.slowest_micros.fetch_max(took.as_micros() as u64, Ordering::SeqCst);
        match result {
            Ok(()) => drop(self.answered.fetch_add(1, Ordering::SeqCst)),
            Err(kind) => {
                self.failed.fetch_add(1, Ordering::SeqCst);
                *self.kinds.lock().expect("nobody panics with it").entry(kind).or_default() += 1;
            }
        }
    }
}

/// Starts the load; it ends when the ledger is told to stop.
pub(crate) fn start(load: Load, at: SocketAddr, ledger: &Arc<Ledger>) -> JoinSet<()> {
    let mut running = JoinSet::new();
    match load {
        Load::Closed(clients, pause) => {
            for client in 0..clients {
                running.spawn(ask_on(client, pause, at, Arc::clone(ledger)));
            }
        }
        Load::Open(rate) => drop(running.spawn(arrive(rate, at, Arc::clone(ledger)))),
    }
    running
}

async fn ask_on(client: u64, pause: Duration, at: SocketAddr, ledger: Arc<Ledger>) {
    let mut connection = None;
    for number in 0.. {
        if ledger.stopped() {
            return;
        }
        ask(&mut connection, at, &format!("{client}/{number}"), Instant::now(), &ledger).await;
        if !pause.is_zero() {
            // Spread, so that they do not all come at once.
            tokio::time::sleep(pause.mul_f64(0.7 + 0.6 * (client % 16) as f64 / 15.0)).await;
        }
    }
}

async fn arrive(rate: u64, at: SocketAddr, ledger: Arc<Ledger>) {
    let idle: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let (began, between, mut asked) = (Instant::now(), Duration::from_secs(1) / rate as u32, JoinSet::new());
    for number in 0_u32.. {
        let intended = began + between * number;
        sleep_until(intended.into()).await;
        if ledger.stopped() {
            break;
        }
        let (idle, ledger) = (Arc::clone(&idle), Arc::clone(&ledger));
        asked.spawn(async move {
            let mut connection = idle.lock().expect("nobody panics with it").pop();
            ask(&mut connection, at, &format!("open/{number}"), intended, &ledger).await;
            if let Some(connection) = connection {
                idle.lock().expect("nobody panics with it").push(connection);
            }
        });
        while asked.try_join_next().is_some() {}
    }
    while asked.join_next().await.is_some() {}
}

async fn ask(
    connection: &mut Option<TcpStream>,
    at: SocketAddr,
    body: &str,
    since: Instant,
    ledger: &Ledger,
) {
    ledger.sent.fetch_add(1, Ordering::SeqCst);
    let body = if ledger.predictions { PREDICTION } else { body };
    let result = match timeout(PATIENCE, exchange(connection, at, body, ledger)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(kind)) => Err(kind),
        Err(_) => Err("no answer in 20 s".into()),
    };
    if result.as_ref().is_err_and(|kind| !kind.starts_with("status")) {
        *connection = None;
    }
    ledger.enter(since.elapsed(), result);
    if connection.is_none() {
        // Not a storm of connections where all are refused.
        tokio::task::yield_now().await;
    }
}

/// Asks once.
async fn exchange(
    connection: &mut Option<TcpStream>,
    at: SocketAddr,
    body: &str,
    ledger: &Ledger,
) -> Result<(), String> {
    let lost = |at: &'static str| move |error: io::Error| format!("{at}: {:?}", error.kind());
    // As every client does: what the server has closed in the meantime is not used again.
    if connection.as_ref().is_some_and(|stream| !is_quiet(stream)) {
        *connection = None;
    }
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(at).await.map_err(lost("connect"))?;
            stream.set_nodelay(true).map_err(lost("connect"))?;
            connection.insert(stream)
        }
    };
    let request = format!(
        "POST /predict HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.map_err(lost("write"))?;
    let mut buffer = Vec::with_capacity(512);
    let (head, end, length) = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            let length: usize = length.ok_or_else(|| format!("no length: {head}"))?;
            if buffer.len() >= end + 4 + length {
                break (head, end + 4, length);
            }
        }
        let read = stream.read_buf(&mut buffer).await.map_err(lost("read"))?;
        if read == 0 {
            return Err(
                if buffer.is_empty() { "closed before the answer" } else { "closed in the answer" }.into()
            );
        }
    };
    if head.contains("connection: close") {
        *connection = None;
    }
    let status = head.split(' ').nth(1).unwrap_or_default();
    match status {
        "200" if ledger.predictions && buffer[end..].starts_with(br#"{"prediction":"#) => Ok(()),
        "200" if buffer[end..end + length] == *body.as_bytes() => Ok(()),
        "200" => Err("the answer to another request".into()),
        _ => Err(format!("status {status} {}", reason(&buffer[end..end + length]))),
    }
}

fn reason(body: &[u8]) -> String {
    let json: Result<serde_json::Value, _> = serde_json::from_slice(body);
    json.ok().and_then(|json| Some(json.get("reason")?.as_str()?.to_owned())).unwrap_or_default()
}

fn is_quiet(stream: &TcpStream) -> bool {
    let mut byte = [0];
    matches!(stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
