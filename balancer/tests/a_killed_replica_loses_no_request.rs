//! SIGKILL of one and of two of three replicas, each a process of its own, under 64 and under 256 closed-loop
//! connections: every request is answered, once, by its own answer.

mod replica;

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, AtomicU64},
    },
    time::Duration,
};

use martello_balancer::{Balancer, EndpointState};
use replica::{Client, Running, closed_loop, eventually, serve, total};

const ROLE: &str = "MARTELLO_TEST_ROLE";
const LISTENING: &str = "replica listening on ";

/// A replica that can be killed as the operating system kills.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Runs this test binary again, as a replica.
    fn start() -> Self {
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

    fn kill(&mut self) {
        self.child.kill().expect("the replica was running");
        self.child.wait().expect("the replica ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _ended_before = self.child.wait();
    }
}

/// Not a test: what the processes above run.
#[tokio::test]
async fn serves_when_it_is_told_to_be_a_replica() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\n{LISTENING}{}", listener.local_addr().unwrap());
    let after = Duration::from_millis(2);
    serve(listener, Arc::new(AtomicU64::new(0)), Arc::new(AtomicU16::new(200)), after).await;
}

async fn replicas(count: usize) -> (Vec<Process>, Running) {
    let processes: Vec<Process> = (0..count).map(|_| Process::start()).collect();
    let addresses = processes.iter().map(|process| process.address);
    let running = Running::start(Balancer::builder().upstreams(addresses)).await;
    // What is not known to be pure may not be repeated: let each replica say so once.
    let mut client = Client::new(running.address);
    for number in 0..count {
        assert_eq!(client.post(number.to_string()).await.expect("it answers").status(), 200);
    }
    (processes, running)
}

async fn check_killing(killed: usize, clients: u64) {
    let (mut processes, running) = replicas(3).await;
    let status = running.status.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let clients = closed_loop(running.address, clients, &stop);
    let requests = || status.snapshot().endpoints.iter().map(|endpoint| endpoint.requests).sum::<u64>();
    eventually("the load runs", || requests() > 1_000).await;
    for process in processes.iter_mut().take(killed) {
        process.kill();
    }
    let at_kill = requests();
    eventually("the dead are ejected", || {
        let snapshot = status.snapshot();
        let dead = processes.iter().take(killed).map(|process| process.address.to_string());
        dead.filter_map(|name| snapshot.endpoint(&name).map(|endpoint| endpoint.state))
            .all(|state| state == EndpointState::Ejected)
    })
    .await;
    eventually("the load goes on", || requests() > at_kill + 1_000).await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let tally = total(clients).await;
    assert_eq!(tally.failures, Vec::<String>::new(), "of {} requests", tally.answered);
    assert!(tally.answered > 1_000, "{tally:?}");
    let retries: u64 = status.snapshot().endpoints.iter().map(|endpoint| endpoint.retries).sum();
    assert!(retries > 0, "under load, the dead take requests with them");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigkill_of_one_of_three_loses_nothing() {
    check_killing(1, 64).await;
    check_killing(1, 256).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigkill_of_two_of_three_at_once_loses_nothing() {
    check_killing(2, 64).await;
    check_killing(2, 256).await;
}
