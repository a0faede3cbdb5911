//! The replaced system's job, with each part a process of its own.

#[allow(dead_code, reason = "each test file uses its part")]
mod process;

use std::process::Output;
use std::thread;

use process::{Server, run, said, succeed};
use serde_json::Value;

fn replicas(data: &std::path::Path, number: usize) -> Vec<Server> {
    (0..number).map(|_| Server::start(data, &["serve", "--listen", "127.0.0.1:0"])).collect()
}

fn balancer(data: &std::path::Path, replicas: &[Server]) -> Server {
    let upstreams: Vec<&str> = replicas.iter().map(|replica| replica.address.as_str()).collect();
    let upstreams = upstreams.join(",");
    Server::start(data, &["balance", "--listen", "127.0.0.1:0", "--route-headers", "--upstream", &upstreams])
}

#[test]
fn a_second_training_finds_production_and_does_nothing() {
    let data = tempfile::tempdir().unwrap();
    assert!(succeed(data.path(), &["train"]).contains("linear_regression_model version 1: trained"));
    assert!(succeed(data.path(), &["train"]).contains("already in Production, not trained"));
    assert!(
        succeed(data.path(), &["train", "--retrain"]).contains("linear_regression_model version 2: trained")
    );
    let listed = succeed(data.path(), &["registry", "--json", "list"]);
    let models: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(models[0]["aliases"]["champion"], 2);
}

#[test]
fn ten_trainings_that_start_together_train_one_version() {
    let data = tempfile::tempdir().unwrap();
    let started: Vec<_> = (0..10)
        .map(|_| {
            let mut command = process::martello(data.path(), &["train"]);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let outputs: Vec<Output> = started.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    for output in &outputs {
        assert!(output.status.success(), "{}", said(output));
    }
    let trained = outputs.iter().filter(|output| said(output).contains("version 1: trained")).count();
    let skipped =
        outputs.iter().filter(|output| said(output).contains("version 1: already in Production")).count();
    assert_eq!((trained, skipped), (1, 9));
    let shown = succeed(data.path(), &["registry", "--json", "show", "linear_regression_model"]);
    let versions: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(versions.as_array().unwrap().len(), 1, "{shown}");
}

#[test]
fn a_replica_that_is_killed_under_load_costs_no_request() {
    let data = tempfile::tempdir().unwrap();
    succeed(data.path(), &["train"]);
    let mut replicas = replicas(data.path(), 3);
    let balancer = balancer(data.path(), &replicas);
    let host = format!("http://{}", balancer.address);
    let report_file = data.path().join("report.json");
    let (folder, file) = (data.path().to_owned(), report_file.display().to_string());
    let load = thread::spawn(move || {
        let users = ["load", "--host", &host, "--users", "64", "--spawn-rate", "1000", "--wait", "0.01"];
        run(&folder, &[&users[..], &["--run-time", "4s", "--json", &file]].concat())
    });

    let mut victim = replicas.remove(0);
    wait_until_it_is_asked(&balancer.address, &victim.address);
    victim.kill();

    let output = load.join().unwrap();
    no_request_failed(&output);
    let report: Value = serde_json::from_slice(&std::fs::read(report_file).unwrap()).unwrap();
    let text = report.to_string();
    for replica in &replicas {
        assert!(text.contains(&replica.address), "{} answered nothing: {text}", replica.address);
    }
}

/// Exit code 3 says that the generator was late, as it may be beside other tests; the answers count all the same.
fn no_request_failed(output: &Output) {
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", said(output));
    assert!(said(output).contains(", 0 failed"), "{}", said(output));
}

/// Waits until the balancer has sent requests to a replica.
fn wait_until_it_is_asked(balancer: &str, replica: &str) {
    loop {
        let status: Value =
            serde_json::from_str(&get(balancer, "/balancer/status")).expect("the status is JSON");
        let endpoints = status["endpoints"].as_array().expect("a list of endpoints");
        let one = endpoints.iter().find(|one| one["name"] == replica).expect("the replica is listed");
        if one["requests"].as_u64() > Some(100) {
            return;
        }
        thread::yield_now();
    }
}

/// The body of an answer.
fn get(address: &str, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).expect("the server listens");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")
        .expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server answers");
    answer.split_once("\r\n\r\n").expect("a head and a body").1.to_owned()
}

#[test]
fn sigterm_ends_replica_and_balancer_with_exit_code_0() {
    let data = tempfile::tempdir().unwrap();
    succeed(data.path(), &["train"]);
    let mut replicas = replicas(data.path(), 1);
    let mut balancer = balancer(data.path(), &replicas);
    succeed(data.path(), &["healthcheck", "--address", &balancer.address]);
    assert_eq!(balancer.terminate(), Some(0));
    assert_eq!(replicas[0].terminate(), Some(0));
}

#[test]
fn up_does_all_of_it_in_one_process() {
    let data = tempfile::tempdir().unwrap();
    let mut up = Server::start(data.path(), &["up", "--listen", "127.0.0.1:0", "--replicas", "2"]);
    succeed(data.path(), &["healthcheck", "--address", &up.address]);
    let host = format!("http://{}", up.address);
    let load = ["load", "--host", &host, "--users", "20", "--wait", "0.05", "--run-time", "2s"];
    no_request_failed(&run(data.path(), &load));
    assert_eq!(up.terminate(), Some(0));
}
