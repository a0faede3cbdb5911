//! Replicas that are processes of their own.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU64},
    },
};

use martello_balancer::BalancerBuilder;

use super::{Client, Running, serve};

const ROLE: &str = "MARTELLO_TEST_ROLE";
/// What a prediction takes, in milliseconds.
const ANSWERS_AFTER_MS: u64 = 2;
const LISTENING: &str = "replica listening on ";

/// A replica that can be killed and frozen as the operating system does it.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Runs this test binary again, as a replica; it must have a test of this name that calls
    /// [`serve_if_told`].
    pub(crate) fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().expect("a test knows its own binary"))
            .args(["--exact", "serves_when_it_is_told_to_be_a_replica", "--nocapture"])
            .env(ROLE, "replica")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test binary can be started");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let address = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split_once(LISTENING)?.1.trim().parse().ok())
            .expect("the replica says where it listens");
        Self { child, address }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the replica was running");
        self.child.wait().expect("the replica ends");
    }

    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let done = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        assert!(done.success(), "{kill}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _ended_before = self.child.wait();
    }
}

/// Serves for good in a process that was started as a replica, and returns at once in any other.
#[expect(clippy::print_stdout, reason = "it is how a process tells where it listens")]
pub(crate) async fn serve_if_told() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    println!("\n{LISTENING}{}", listener.local_addr().expect("the listener is bound"));
    let (reached, status) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU16::new(200)));
    serve(listener, reached, status, Arc::new(AtomicU64::new(ANSWERS_AFTER_MS))).await;
}

/// Starts replicas and a balancer over them that knows their predictions to be pure.
pub(crate) async fn processes(count: usize, builder: BalancerBuilder) -> (Vec<Process>, Running) {
    let processes: Vec<Process> = (0..count).map(|_| Process::start()).collect();
    let running = Running::start(builder.upstreams(processes.iter().map(|process| process.address))).await;
    let mut client = Client::new(running.address);
    for number in 0..count {
        assert_eq!(client.post(number.to_string()).await.expect("it answers").status(), 200);
    }
    (processes, running)
}
