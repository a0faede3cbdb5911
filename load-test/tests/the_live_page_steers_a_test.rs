//! From the live page a test is started, sent to another number of users, watched, downloaded and stopped.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::net::SocketAddr;
use std::time::Duration;

use martello_load_test::live::LivePage;
use martello_load_test::{Goal, Plan, ThinkTime};
use server::{Reply, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

mod server;

/// Head and body of the answer to one request.
async fn ask(address: SocketAddr, request: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it comes true");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn start_change_watch_download_stop() {
    let server = Server::start(|_| Reply::ok("{}")).await;
    let plan = Plan::builder(&server.url).think_time(ThinkTime::constant(0.01));
    let goal = Goal::new(7, 100.0).unwrap();
    let page = LivePage::bind(plan, goal, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = page.local_addr();
    let (end, ended) = oneshot::channel::<()>();
    let serving = tokio::spawn(page.serve(async { drop(ended.await) }));

    let whole = ask(address, "GET /", "", "").await;
    assert!(whole.contains("value=\"7\"") && whole.contains(">ready<"), "{whole}");
    for loading in ["src=", "@import", "url(", "href=\"http"] {
        assert!(!whole.contains(loading), "{loading}");
    }
    assert!(ask(address, "GET /stats/report", "", "").await.starts_with("HTTP/1.1 404"));

    assert!(ask(address, "POST /swarm", "", "user_count=5&spawn_rate=100").await.starts_with("HTTP/1.1 200"));
    until(async || server.seen.open_connections() == 5).await;
    assert!(
        ask(address, "POST /swarm", "", "user_count=12&spawn_rate=100").await.starts_with("HTTP/1.1 200")
    );
    until(async || server.seen.open_connections() == 12).await;
    assert!(ask(address, "POST /swarm", "", "user_count=3&spawn_rate=100").await.starts_with("HTTP/1.1 200"));
    until(async || server.seen.open_connections() == 3).await;

    until(async || ask(address, "GET /live", "", "").await.contains("Latency heat map")).await;
    assert!(ask(address, "GET /live", "", "").await.contains("data-running=\"true\""));
    assert!(ask(address, "GET /stats/requests/csv", "", "").await.contains("Type,Name,Request Count"));
    assert!(
        ask(address, "GET /stats/json", "", "").await.contains("\"schema\": \"martello-load-test/report/1\"")
    );

    assert!(ask(address, "POST /stop", "", "").await.starts_with("HTTP/1.1 200"));
    until(async || ask(address, "GET /live", "", "").await.contains("data-running=\"false\"")).await;
    until(async || server.seen.open_connections() == 0).await;
    end.send(()).unwrap();
    let report = serving.await.unwrap().expect("a test ran");
    assert_eq!((report.requests(), report.failures()), (server.seen.requests(), 0));
}

#[tokio::test]
async fn what_makes_no_sense_or_comes_from_elsewhere_is_refused() {
    let plan = Plan::builder("http://127.0.0.1:1");
    let goal = Goal::new(1, 1.0).unwrap();
    let page = LivePage::bind(plan, goal, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = page.local_addr();
    let (end, ended) = oneshot::channel::<()>();
    let serving = tokio::spawn(page.serve(async { drop(ended.await) }));
    let long = "x".repeat(10_000);
    let cases = [
        ("POST /swarm", "", "user_count=many&spawn_rate=1", "400", "expected user_count"),
        ("POST /swarm", "", "user_count=5&spawn_rate=0", "400", "spawn rate 0"),
        ("POST /swarm", "", "user_count=0&spawn_rate=1", "400", "0 users"),
        ("POST /swarm", "", &long, "413", "too long"),
        (
            "POST /swarm",
            "origin: http://evil.example\r\n",
            "user_count=5&spawn_rate=1",
            "403",
            "another page",
        ),
        ("GET /stop", "", "", "404", "nothing here"),
    ];
    for (request, headers, body, status, reason) in cases {
        let answer = ask(address, request, headers, body).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(reason),
            "{request}: {answer}"
        );
    }
    end.send(()).unwrap();
    assert!(serving.await.unwrap().is_none());
}
