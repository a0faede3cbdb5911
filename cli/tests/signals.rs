//! SIGTERM ends every command, at whatever it is, and so does it where the command is process 1.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

#[allow(dead_code, reason = "each test file uses its part")]
mod process;

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What a shell reports for a process that SIGTERM ended.
const TERMINATED: i32 = 128 + 15;

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
    kill(Pid::from_raw(child.id().try_into().expect("a process id")), Signal::SIGTERM)
        .expect("the process is ours");
    child.wait().expect("the process is ours").code()
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
        let mut unshare = std::process::Command::new("unshare");
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
