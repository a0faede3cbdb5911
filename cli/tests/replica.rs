//! One replica as a process: how it starts when the registry does not answer, how it ends, and what its flags do.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

#[allow(dead_code, reason = "each test file uses its part")]
mod process;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use process::{Server, succeed};

const ROW: &str = r#"{"feature1":5.3,"feature2":2.1,"feature3":0.8}"#;
const ANSWER: &str = r#"{"prediction":321.3070728214188}"#;

/// A registry with a model, and nobody who has fetched it.
fn trained() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    succeed(data.path(), &["train"]);
    data
}

/// A replica that has its model.
fn ready(data: &Path, flags: &[&str]) -> Server {
    let server = Server::start(data, &[&["serve", "--listen", "127.0.0.1:0"], flags].concat());
    wait_until("the replica is ready", || status(&ask(&server.address, "GET /health", "")) == 200);
    server
}

#[test]
fn a_replica_whose_registry_is_locked_serves_out_of_its_cache() {
    let data = trained();
    drop(ready(data.path(), &[]));
    let connection = rusqlite::Connection::open(data.path().join("mlflow.db")).unwrap();
    connection.execute_batch("BEGIN EXCLUSIVE").unwrap();

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let mut child = process::martello(data.path(), &["serve", "--listen", &address])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the cache is asked", || {
        TcpStream::connect(&address).is_ok() && status(&ask(&address, "GET /health", "")) == 200
    });
    let answer = ask(&address, "POST /predict", ROW);
    // The lock is held until here: nothing of this came from the registry.
    connection.execute_batch("ROLLBACK").unwrap();
    assert!(answer.ends_with(ANSWER), "{answer}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn sigterm_answers_what_is_in_flight_says_close_and_exits_0() {
    let data = trained();
    let mut server = ready(data.path(), &["--drain-linger", "60"]);
    let mut kept = connect(&server.address);
    assert_eq!(status(&exchange(&mut kept, "GET /health HTTP/1.1\r\nhost: a\r\n\r\n")), 200);
    let mut in_flight = connect(&server.address);
    let head = format!("POST /predict HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", ROW.len());
    in_flight.write_all(head.as_bytes()).unwrap();
    wait_until("the request is in flight", || {
        ask(&server.address, "GET /metrics", "")
            .lines()
            .any(|line| line.starts_with("martello_requests_in_flight{") && line.ends_with(" 1"))
    });

    server.signal(Signal::SIGTERM);
    wait_until("the address takes no new connections", || TcpStream::connect(&server.address).is_err());
    let health = exchange(&mut kept, "GET /health/ready HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(status(&health), 503, "{health}");
    assert!(health.contains("connection: close") && health.contains("draining"), "{health}");
    in_flight.write_all(ROW.as_bytes()).unwrap();
    let answer = rest(&mut in_flight);
    assert!(answer.contains("connection: close") && answer.ends_with(ANSWER), "{answer}");
    drop(kept);
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn the_grace_period_ends_what_does_not_end_by_itself() {
    let data = trained();
    let mut server = ready(data.path(), &["--grace", "0.2", "--drain-linger", "0.1"]);
    let mut never = connect(&server.address);
    never.write_all(b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{").unwrap();
    assert_eq!(status(&ask(&server.address, "GET /health", "")), 200);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_second_signal_exits_at_once() {
    let data = trained();
    let mut server = ready(data.path(), &["--grace", "600"]);
    let mut never = connect(&server.address);
    never.write_all(b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{").unwrap();
    assert_eq!(status(&ask(&server.address, "GET /health", "")), 200);
    server.signal(Signal::SIGTERM);
    wait_until("the first signal is heard", || TcpStream::connect(&server.address).is_err());
    server.signal(Signal::SIGTERM);
    // 128 and the number of the signal, as a shell tells it.
    assert_eq!(server.wait(), Some(143));
}

#[test]
fn flags_set_limits_and_what_is_told() {
    let data = trained();
    let mut server = ready(
        data.path(),
        &[
            "--max-rows",
            "1",
            "--max-body-bytes",
            "200",
            "--access-log",
            "--request-ids",
            "--max-columns",
            "3",
        ],
    );
    let rows = format!("[{ROW},{ROW}]");
    assert_eq!(status(&ask(&server.address, "POST /predict?secret=1", &rows)), 422);
    assert_eq!(status(&ask(&server.address, "POST /predict", &" ".repeat(201))), 413);
    assert_eq!(status(&ask(&server.address, "POST /predict", &ROW.replace('{', r#"{"a":1,"#))), 422);
    let answer = ask(&server.address, "POST /predict", ROW);
    assert!(answer.contains("endpoint-load-metrics: TEXT cpu_utilization="), "{answer}");
    assert!(answer.contains("x-request-id: "), "{answer}");
    server.signal(Signal::SIGTERM);
    let (code, log) = server.wait_and_read();
    assert_eq!(code, Some(0));
    let line = log.lines().find(|line| line.contains("status=422")).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("martello::access") && line.contains("path=\"/predict\""), "{line}");
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn by_default_the_log_is_silent_and_the_load_is_told() {
    let data = trained();
    let mut server = ready(data.path(), &[]);
    let answer = ask(&server.address, "GET /health", "");
    assert!(answer.contains("endpoint-load-metrics: TEXT ") && !answer.contains("x-request-id"), "{answer}");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_and_read(), (Some(0), String::new()));

    let mut silent = ready(data.path(), &["--load-report", "false"]);
    assert!(!ask(&silent.address, "GET /health", "").contains("endpoint-load-metrics"));
    assert_eq!(silent.terminate(), Some(0));
}

/// Sends a request on a connection of its own and returns the whole answer.
fn ask(address: &str, what: &str, body: &str) -> String {
    let mut stream = connect(address);
    let length = body.len();
    let request =
        format!("{what} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    // What is refused by its head may be answered before it is sent to the end.
    drop(stream.write_all(request.as_bytes()));
    rest(&mut stream)
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

/// Sends a request and reads one answer, which is short.
fn exchange(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut buffer) = (String::new(), [0; 4096]);
    while !answer.contains("\r\n\r\n") || !answer.ends_with('}') {
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0, "the connection ended: {answer}");
        answer.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    answer
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}")).parse().unwrap()
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        thread::yield_now();
    }
}
