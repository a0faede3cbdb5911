//! The access log: a line for every answer, with who gave it, after how many tries, and how much of it there was.

mod replica;

use std::{path::Path, time::Duration};

use http::Request;
use http_body_util::Full;
use martello_balancer::{AccessLog, AccessLogFormat, Balancer};
use replica::{Client, Replica, Running};
use serde_json::{Value, json};

/// Asks two replicas, of which one dies, and nobody in the end; returns the lines.
async fn lines(format: AccessLogFormat, path: &Path) -> Vec<String> {
    let mut replicas = [Replica::start(), Replica::start()];
    let builder = Balancer::builder().access_log(AccessLog::to_file(path, format));
    let builder = builder.upstreams(replicas.iter().map(|replica| replica.address));
    let running = Running::start_ready(builder).await;
    let mut client = Client::new(running.address);
    for number in 0..4 {
        assert_eq!(client.post(format!("body {number}")).await.expect("it answers").status(), 200);
    }
    replicas[0].kill();
    for number in 4..6 {
        assert_eq!(client.post(format!("body {number}")).await.expect("it answers").status(), 200);
    }
    replicas[1].kill();
    assert_eq!(client.post("nobody".into()).await.expect("it answers").status(), 503);
    drop(client);
    let status = running.status.clone();
    running.stop().await;
    drop(status);
    written(path, 7).await
}

/// Waits until the log has so many lines.
async fn written(path: &Path, count: usize) -> Vec<String> {
    let written = async {
        loop {
            let text = std::fs::read_to_string(path).expect("the log is there");
            if text.lines().count() == count {
                return text.lines().map(str::to_owned).collect();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), written).await.expect("every answer has its line")
}

#[tokio::test]
async fn json_lines_say_who_answered_after_how_many_tries() {
    let folder = tempfile::tempdir().unwrap();
    let lines = lines(AccessLogFormat::Json, &folder.path().join("access.log")).await;
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines[..6] {
        assert_eq!(
            (&line["status"], &line["bytes"], &line["target"]),
            (&json!(200), &json!(6), &json!("/predict"))
        );
        assert!(line["endpoint"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    }
    assert!(lines[..4].iter().all(|line| line["tries"] == 1));
    assert!(lines[4..6].iter().any(|line| line["tries"] == 2), "one of them met the dead one: {lines:?}");
    assert_eq!((&lines[6]["status"], &lines[6]["endpoint"]), (&json!(503), &Value::Null));
}

#[tokio::test]
async fn combined_lines_are_those_of_nginx() {
    let folder = tempfile::tempdir().unwrap();
    let lines = lines(AccessLogFormat::Combined, &folder.path().join("access.log")).await;
    for line in &lines[..6] {
        assert!(
            line.starts_with("127.0.0.1 - - [")
                && line.ends_with(r#"] "POST /predict HTTP/1.1" 200 6 "-" "-""#),
            "{line}"
        );
    }
    assert!(lines[6].contains("\" 503 - \""), "{}", lines[6]);
}

#[tokio::test]
async fn the_client_behind_a_trusted_proxy_is_who_asked() {
    let (folder, replica) = (tempfile::tempdir().unwrap(), Replica::start());
    for (hops, expected) in [(0, "127.0.0.1"), (1, "10.0.0.7"), (2, "6.6.6.6"), (3, "127.0.0.1")] {
        let path = folder.path().join(hops.to_string());
        let builder = Balancer::builder().access_log(AccessLog::to_file(&path, AccessLogFormat::Combined));
        let running = Running::start_ready(builder.trusted_hops(hops).upstream(replica.address)).await;
        let request = Request::post("/predict").header("x-forwarded-for", "6.6.6.6, 10.0.0.7");
        let mut client = Client::new(running.address);
        assert_eq!(client.send(request.body(Full::default()).unwrap()).await.unwrap().status(), 200);
        drop(client);
        running.stop().await;
        let lines = written(&path, 1).await;
        assert!(lines[0].starts_with(&format!("{expected} - - ")), "{hops} hops: {lines:?}");
    }
}
