//! A replica that is a process of its own and can be told, on its standard input, how to fail.
//!
//! It speaks just enough HTTP/1.1 for the balancers here, by hand, since what it has to do is to break off at any byte.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// What a prediction takes: the replicas of the measured comparison in the documentation took as long.
const WORK: Duration = Duration::from_millis(20);

/// How a replica behaves; the names are the commands on its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Sound,
    /// Answers 500 at once.
    Error,
    /// Takes requests and never answers, but for the probe.
    Silent,
    /// Resets the connection in the middle of each answer's body.
    Reset,
    /// Closes a connection, without a word, after a hundred answers on it.
    Close,
    /// Closes a connection that was idle for five seconds, as uvicorn does.
    Idle,
}

const MODES: [Mode; 6] = [Mode::Sound, Mode::Error, Mode::Silent, Mode::Reset, Mode::Close, Mode::Idle];

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Error => "error",
            Self::Silent => "silent",
            Self::Reset => "reset",
            Self::Close => "close",
            Self::Idle => "idle",
        }
    }
}

/// Answers on one connection after which [`Mode::Close`] closes it.
const ANSWERS: u32 = 100;
/// uvicorn's default keep-alive time.
const IDLE: Duration = Duration::from_secs(5);

#[derive(Default)]
struct State {
    mode: AtomicU64,
    reached: AtomicU64,
    leaving: AtomicBool,
    left: Notify,
}

impl State {
    fn mode(&self) -> Mode {
        MODES[self.mode.load(Ordering::SeqCst) as usize]
    }
}

/// Serves until it is told to end by SIGTERM: then it takes no more connections, answers what it has and closes.
#[expect(clippy::print_stdout, reason = "it is how the process talks to the one that started it")]
pub(crate) async fn serve(address: SocketAddr) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(4_096)?;
    println!("listening {}", listener.local_addr()?);
    let state = Arc::new(State::default());
    tokio::spawn(obey(Arc::clone(&state)));
    let mut end = signal(SignalKind::terminate())?;
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            _ = end.recv() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(connection(stream, Arc::clone(&state)));
            }
        }
    }
    drop(listener);
    state.leaving.store(true, Ordering::SeqCst);
    state.left.notify_waiters();
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Follows the commands on the standard input: the name of a mode, or `count`.
#[expect(clippy::print_stdout, reason = "it is how the process talks to the one that started it")]
async fn obey(state: Arc<State>) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(place) = MODES.iter().position(|mode| mode.name() == line) {
            state.mode.store(place as u64, Ordering::SeqCst);
        }
        println!("{}", state.reached.load(Ordering::SeqCst));
    }
    // Whoever started it is gone.
    std::process::exit(0);
}

async fn connection(stream: TcpStream, state: Arc<State>) {
    // A connection that breaks is what this is for.
    let _broken = converse(stream, &state).await;
}

async fn converse(mut stream: TcpStream, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut buffer, mut answers) = (Vec::new(), 0);
    loop {
        let left = state.left.notified();
        if state.leaving.load(Ordering::SeqCst) && buffer.is_empty() {
            return Ok(());
        }
        let request = tokio::select! {
            request = read(&mut stream, &mut buffer) => request?,
            () = left => continue,
            () = sleep(IDLE), if state.mode() == Mode::Idle => return Ok(()),
        };
        let Some((is_probe, body)) = request else { return Ok(()) };
        if is_probe {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
            continue;
        }
        state.reached.fetch_add(1, Ordering::SeqCst);
        match state.mode() {
            Mode::Silent => std::future::pending().await,
            Mode::Error => {
                stream.write_all(b"HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\noops").await?;
                continue;
            }
            mode => {
                sleep(WORK).await;
                let close = state.leaving.load(Ordering::SeqCst);
                let kept = if close { "connection: close\r\n" } else { "" };
                let head = format!(
                    "HTTP/1.1 200 OK\r\nmartello-pure: ?1\r\n{kept}content-length: {}\r\n\r\n",
                    body.len()
                );
                if mode == Mode::Reset {
                    stream.write_all(&[head.as_bytes(), &body[..body.len() / 2]].concat()).await?;
                    // Long enough for the half to be read before the reset throws it away.
                    sleep(Duration::from_millis(2)).await;
                    return stream.set_zero_linger();
                }
                stream.write_all(&[head.as_bytes(), &body].concat()).await?;
                answers += 1;
                if close || (mode == Mode::Close && answers == ANSWERS) {
                    return Ok(());
                }
            }
        }
    }
}

/// Reads a request; tells whether it is a probe, and its body.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<(bool, Vec<u8>)>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            let whole = end + 4 + length.unwrap_or(0);
            if buffer.len() >= whole {
                let body = buffer[end + 4..whole].to_vec();
                buffer.drain(..whole);
                return Ok(Some((head.starts_with("get ") || head.starts_with("options "), body)));
            }
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

/// A replica's process, ended with its handle.
pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    child: tokio::process::Child,
    /// What it says; `None` where it is uvicorn, which is asked over HTTP.
    told: Option<tokio::io::Lines<BufReader<tokio::process::ChildStdout>>>,
}

/// The interpreter with FastAPI and uvicorn that replicas run on, if they are to be of the replaced kind.
pub(crate) fn python() -> Option<std::ffi::OsString> {
    std::env::var_os("FAULTS_PYTHON")
}

impl Replica {
    /// Starts one: this very program, in another role, or uvicorn.
    pub(crate) async fn start(address: SocketAddr) -> Self {
        if let Some(python) = python() {
            return Self::start_uvicorn(&python, address).await;
        }
        let mut child = Command::new(std::env::current_exe().expect("a program knows where it is"))
            .args(["--be-a-replica", &address.to_string()])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("this program can be started again");
        let mut told = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let line = told.next_line().await.expect("it is text").unwrap_or_default();
        let address = line.strip_prefix("listening ").and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("a replica said {line:?}"));
        Self { address, child, told: Some(told) }
    }

    /// Starts a replica of ours over the registry in a folder.
    pub(crate) async fn serve(data: &std::path::Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_martello"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("MARTELLO_DATA_DIR", data)
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("our own binary can be started");
        let mut told = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let address = loop {
            let line = told.next_line().await.expect("it is text").expect("it says where it listens");
            let Some((_, rest)) = line.split_once("http://") else { continue };
            break rest
                .split_whitespace()
                .next()
                .and_then(|address| address.parse().ok())
                .expect("an address");
        };
        // What it says later must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = told.next_line().await {} });
        Self { address, child, told: None }
    }

    async fn start_uvicorn(python: &std::ffi::OsStr, mut address: SocketAddr) -> Self {
        if address.port() == 0 {
            let free = std::net::TcpListener::bind(address).expect("there is a free port");
            address = free.local_addr().expect("it is bound");
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults");
        let mut child = Command::new(python)
            .args(["-m", "uvicorn", "uvicorn_app:app", "--app-dir", folder, "--log-level", "error"])
            .args(["--host", &address.ip().to_string(), "--port", &address.port().to_string()])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .kill_on_drop(true)
            .spawn()
            .expect("there is a Python");
        while TcpStream::connect(address).await.is_err() {
            let ended = child.try_wait().expect("the process is ours");
            assert!(ended.is_none(), "uvicorn ended at once on {address}: see what it said above");
            sleep(Duration::from_millis(20)).await;
        }
        Self { address, child, told: None }
    }

    /// Sets how it behaves from now on; returns how many requests had reached it.
    pub(crate) async fn behave(&mut self, mode: Mode) -> u64 {
        self.tell(mode.name()).await
    }

    /// Returns how many requests have reached it.
    pub(crate) async fn reached(&mut self) -> u64 {
        self.tell("count").await
    }

    async fn tell(&mut self, command: &str) -> u64 {
        let Some(told) = &mut self.told else {
            let count = super::proxy::get(self.address, "/count").await.unwrap_or_default();
            return count.trim().parse().unwrap_or_default();
        };
        let input = self.child.stdin.as_mut().expect("it is piped");
        input.write_all(format!("{command}\n").as_bytes()).await.expect("the replica listens");
        let answer = timeout(Duration::from_secs(20), told.next_line()).await;
        let answer = answer.expect("a replica that runs answers").expect("it is text").unwrap_or_default();
        answer.parse().unwrap_or_else(|_| panic!("a replica said {answer:?}"))
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let id = self.child.id().expect("it was not waited for");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(id as i32), signal).expect("the process is ours");
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("the process is ours");
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) async fn terminate(&mut self) {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        self.child.wait().await.expect("the process is ours");
    }
}
