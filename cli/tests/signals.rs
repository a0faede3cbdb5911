//! SIGTERM ends every command, at whatever it is, and so does it where the command is process 1.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

#[allow(dead_code, reason = "each test file uses its part")]
mod process;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rusqlite::{Connection, TransactionBehavior};

/// What a shell reports for a process that SIGTERM ended.
const TERMINATED: i32 = 128 + 15;

/// The same for SIGINT.
const INTERRUPTED: i32 = 128 + 2;

/// Linux' number for opening without waiting for the other end.
const O_NONBLOCK: i32 = 0o4000;

const MODEL: &str = "line";

/// Starts a command that will wait for an answer of this silent server, and terminates it once it has asked.
fn terminated_while_it_asks(data: &Path, arguments: &[&str]) -> Option<i32> {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let arguments: Vec<String> =
        arguments.iter().map(|argument| argument.replace("ADDRESS", &address)).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut child =
        process::martello(data, &arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (mut asked, _) = silent.accept().unwrap();
    asked.read_exact(&mut [0]).unwrap();
    terminate(&mut child)
}

fn terminate(child: &mut Child) -> Option<i32> {
    send(child, Signal::SIGTERM);
    child.wait().expect("the process is ours").code()
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().expect("a process id")), signal).expect("the process is ours");
}

/// A training whose data do not come, so that it stays in the middle of its run.
struct Training {
    child: Child,
    /// The end through which data would come.
    _data: File,
}

impl Training {
    fn start(folder: &Path) -> Self {
        let fifo = folder.join("data.csv");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let file = fifo.to_str().unwrap();
        let arguments = ["train", "--data", file, "--target", "y", "--model-name", MODEL];
        let mut child = process::martello(folder, &arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        loop {
            // An error says that nobody reads yet.
            if let Ok(data) = File::options().write(true).custom_flags(O_NONBLOCK).open(&fifo) {
                return Self { child, _data: data };
            }
            assert!(child.try_wait().unwrap().is_none(), "the training ended by itself");
            std::thread::yield_now();
        }
    }

    /// Waits for the end and returns the exit code, and what was said.
    fn wait(self) -> (Option<i32>, String) {
        let output = self.child.wait_with_output().unwrap();
        (output.status.code(), process::said(&output))
    }
}

/// The registry in a folder, as MLflow sees it.
fn database(folder: &Path) -> Connection {
    Connection::open(folder.join("mlflow.db")).unwrap()
}

fn statuses(folder: &Path) -> Vec<String> {
    let database = database(folder);
    let mut runs = database.prepare("SELECT status FROM runs").unwrap();
    let statuses = runs.query_map((), |row| row.get(0)).unwrap();
    statuses.map(Result::unwrap).collect()
}

#[test]
fn a_command_that_waits_for_a_registry_is_ended() {
    let data = tempfile::tempdir().unwrap();
    let registry = ["--tracking-uri", "http://ADDRESS"];
    let train = [&["train"], &registry[..]].concat();
    assert_eq!(terminated_while_it_asks(data.path(), &train), Some(TERMINATED));
    let list = [&["registry"], &registry[..], &["list"]].concat();
    assert_eq!(terminated_while_it_asks(data.path(), &list), Some(TERMINATED));
}

#[test]
fn a_training_ends_its_run_and_registers_nothing() {
    for (signal, code) in [(Signal::SIGINT, INTERRUPTED), (Signal::SIGTERM, TERMINATED)] {
        let folder = tempfile::tempdir().unwrap();
        let training = Training::start(folder.path());
        assert_eq!(statuses(folder.path()), ["RUNNING"]);
        send(&training.child, signal);
        let (ended, said) = training.wait();
        assert_eq!(ended, Some(code), "{said}");
        assert!(said.contains("the training was stopped, and nothing was registered"), "{said}");
        assert_eq!(statuses(folder.path()), ["KILLED"]);
        let models = process::succeed(folder.path(), &["registry", "--json", "list"]);
        assert_eq!(models.trim(), "[]");
    }
}

#[test]
fn a_second_signal_ends_a_training_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut training = Training::start(folder.path());
    // The end of the run cannot be written.
    let mut database = database(folder.path());
    let lock = database.transaction_with_behavior(TransactionBehavior::Exclusive).unwrap();
    send(&training.child, Signal::SIGINT);
    // It says that it was asked to stop, and waits.
    let stderr = training.child.stderr.take().unwrap();
    let said = BufReader::new(stderr).lines().next().unwrap().unwrap();
    assert!(said.contains("stopped"), "{said}");
    send(&training.child, Signal::SIGTERM);
    assert_eq!(training.wait().0, Some(TERMINATED));
    drop(lock);
    assert_eq!(statuses(folder.path()), ["RUNNING"]);
    // The next training tidies up.
    let rows: String = (0..20).map(|x| format!("{x},{}\n", 3 * x)).collect();
    let file = folder.path().join("whole.csv");
    std::fs::write(&file, format!("x,y\n{rows}")).unwrap();
    let arguments = ["train", "--data", file.to_str().unwrap(), "--target", "y", "--model-name", MODEL];
    process::succeed(folder.path(), &arguments);
    let mut ended = statuses(folder.path());
    ended.sort_unstable();
    assert_eq!(ended, ["FINISHED", "KILLED"]);
}

#[test]
fn a_server_that_is_not_ready_yet_is_ended_in_order() {
    let data = tempfile::tempdir().unwrap();
    let up = ["up", "--listen", "127.0.0.1:0", "--tracking-uri", "http://ADDRESS"];
    assert_eq!(terminated_while_it_asks(data.path(), &up), Some(0));
    let serve = ["serve", "--listen", "127.0.0.1:0", "--tracking-uri", "http://ADDRESS"];
    assert_eq!(terminated_while_it_asks(data.path(), &serve), Some(0));
}

#[test]
fn a_health_check_is_ended_while_it_waits() {
    let data = tempfile::tempdir().unwrap();
    let check = ["healthcheck", "--address", "ADDRESS", "--timeout", "3600"];
    assert_eq!(terminated_while_it_asks(data.path(), &check), Some(TERMINATED));
}

#[test]
fn process_1_is_ended_too() {
    // A process identifier namespace of its own makes the command process 1; that takes the right to make one.
    let unshare = |command: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child"]).args(command);
        unshare.stdout(Stdio::null()).stderr(Stdio::null());
        unshare
    };
    if !unshare(&["true"]).status().is_ok_and(|status| status.success()) {
        eprintln!("NOT TESTED: this machine lets nobody make a process identifier namespace");
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", silent.local_addr().unwrap());
    let mut child = unshare(&[env!("CARGO_BIN_EXE_martello"), "train", "--tracking-uri", &uri])
        .env("MARTELLO_DATA_DIR", data.path())
        .spawn()
        .unwrap();
    let (mut asked, _) = silent.accept().unwrap();
    asked.read_exact(&mut [0]).unwrap();
    // The signal goes to process 1 of the namespace, the one child of `unshare`.
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let first: i32 = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(first), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(TERMINATED));
}
