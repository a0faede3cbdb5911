//! The binary as processes that a test starts, listens to and ends.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Variables of the surrounding machine that would change what the binary does.
const FOREIGN: [&str; 3] = ["MLFLOW_TRACKING_URI", "REGISTERED_MODEL_NAME", "MODEL_STAGE_OR_VERSION"];

/// Variables that keep a replica from shedding: what a test asks is not too much, its machine may be.
const UNHURRIED: [(&str, &str); 2] = [("MARTELLO_QUEUE_DELAY", "20"), ("MARTELLO_BURST_DELAY", "20")];

/// Returns the command, with a registry in `data` and nothing from the surrounding environment.
pub(crate) fn martello(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_martello"));
    for variable in FOREIGN {
        command.env_remove(variable);
    }
    command.args(arguments).env("MARTELLO_DATA_DIR", data).envs(UNHURRIED);
    command
}

/// Runs the command to its end.
pub(crate) fn run(data: &Path, arguments: &[&str]) -> Output {
    martello(data, arguments).output().expect("the binary starts")
}

/// Runs the command, which must succeed, and returns its standard output.
pub(crate) fn succeed(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

/// Returns everything that a process said.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A server that was started and is killed when the test ends, however it ends.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Server {
    /// Starts a server and waits for the line that names its address.
    pub(crate) fn start(data: &Path, arguments: &[&str]) -> Self {
        let mut child = martello(data, arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = lines.by_ref().find_map(|line| address_in(&line.expect("text")));
        let Some(address) = address else {
            let mut complaint = String::new();
            child.stderr.take().expect("piped").read_to_string(&mut complaint).expect("text");
            panic!("{arguments:?} named no address: {complaint}");
        };
        Self { child, address }
    }

    /// Sends SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the process is ours");
        self.child.wait().expect("the process is ours");
    }

    /// Sends SIGTERM and returns the exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("a process id"));
        kill(pid, signal).expect("the process is ours");
    }

    /// Waits for the end and returns the exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("the process is ours").code()
    }

    /// Waits for the end and returns the exit code, and what was said on standard error.
    pub(crate) fn wait_and_read(&mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
        (self.wait(), said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn address_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("http://")?;
    Some(rest.split_whitespace().next()?.to_owned())
}
