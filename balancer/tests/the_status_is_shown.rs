//! What the balancer shows of itself: nginx's text exactly, JSON, metrics, and headers where asked to.

mod replica;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use martello_balancer::{Balancer, StatusPaths};
use replica::{Client, Replica, Running};

fn request(method: Method, path: &str) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri(path).body(Full::default()).expect("the request is valid")
}

#[tokio::test]
async fn nginx_status_is_nginxs_text_for_get_and_head_alone() {
    let replicas = [Replica::start()];
    let running = Running::over(&replicas).await;
    let mut client = Client::new(running.address);
    for number in 0..3 {
        client.post(number.to_string()).await.unwrap();
    }
    let mut idle = Client::new(running.address);
    idle.post("x".into()).await.unwrap();

    let page = client.get("/nginx_status").await;
    assert_eq!(
        (page.status().as_u16(), &page.headers()["content-type"]),
        (200, &"text/plain".parse().unwrap())
    );
    let expected = "Active connections: 2 \nserver accepts handled requests\n 2 2 5 \n\
                    Reading: 0 Writing: 1 Waiting: 1 \n";
    assert_eq!(page.body(), expected);

    let head = client.send(request(Method::HEAD, "/nginx_status")).await.unwrap();
    assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let refused = client.send(request(method, "/nginx_status")).await.unwrap();
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["allow"]),
            (405, &"GET, HEAD".parse().unwrap())
        );
    }
    assert_eq!(replicas[0].reached(), 4, "no replica is asked for the balancer's own pages");
    running.stop().await;
}

#[tokio::test]
async fn json_and_metrics_tell_of_every_replica() {
    let replicas = [Replica::start(), Replica::start()];
    let running = Running::over(&replicas).await;
    let mut client = Client::new(running.address);
    for number in 0..4 {
        client.post(number.to_string()).await.unwrap();
    }
    let json: serde_json::Value =
        serde_json::from_slice(client.get("/balancer/status").await.body()).unwrap();
    let metrics = client.get("/metrics").await;
    let metrics = String::from_utf8(metrics.body().to_vec()).unwrap();
    for (index, replica) in replicas.iter().enumerate() {
        let shown = &json["endpoints"][index];
        assert_eq!((&shown["name"], &shown["requests"]), (&replica.address.to_string().into(), &2.into()));
        assert!(shown["latency"]["p50_ms"].as_f64().unwrap() > 0.0);
        let line = format!("martello_balancer_endpoint_requests_total{{endpoint=\"{}\"}} 2", replica.address);
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    assert_eq!(json["connections"]["active"], 1);
    running.stop().await;
}

#[tokio::test]
async fn the_live_page_is_one_file_that_reads_the_status() {
    let replicas = [Replica::start()];
    let running = Running::over(&replicas).await;
    let mut client = Client::new(running.address);
    let page = client.get("/balancer").await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let html = String::from_utf8(page.body().to_vec()).unwrap();
    assert!(html.contains(r#"const STATUS = "/balancer/status";"#));
    let status: serde_json::Value =
        serde_json::from_slice(client.get("/balancer/status").await.body()).unwrap();
    for read in ["endpoints", "policy", "panic", "admission", "connections"] {
        assert!(html.contains(&format!("status.{read}")) && !status[read].is_null(), "{read}");
    }
    for read in ["name", "state", "reason", "in_flight", "latency", "failures", "retries", "ejections"] {
        assert!(html.contains(read) && !status["endpoints"][0][read].is_null(), "{read}");
    }
    assert_eq!(replicas[0].reached(), 0, "no replica is asked for it");
    running.stop().await;
}

#[tokio::test]
async fn the_pages_can_be_moved_and_left_out() {
    let replicas = [Replica::start()];
    let paths = StatusPaths { nginx: Some("/stub".into()), metrics: None, ..StatusPaths::default() };
    let running = Running::start(Balancer::builder().upstream(replicas[0].address).status_paths(paths)).await;
    let mut client = Client::new(running.address);
    assert!(client.get("/stub").await.body().starts_with(b"Active connections: "));
    for path in ["/nginx_status", "/metrics"] {
        assert_eq!(client.get(path).await.headers()["martello-pure"], "?1", "{path} is the replica's");
    }
    running.stop().await;
}

#[tokio::test]
async fn route_headers_are_told_only_where_asked_for() {
    let mut replicas = [Replica::start(), Replica::start()];
    let addresses = || replicas.iter().map(|replica| replica.address);
    let quiet = Running::start(Balancer::builder().upstreams(addresses())).await;
    let telling = Running::start(Balancer::builder().upstreams(addresses()).with_route_headers()).await;
    let answer = Client::new(quiet.address).post("x".into()).await.unwrap();
    assert!(
        !answer.headers().contains_key("martello-endpoint")
            && !answer.headers().contains_key("martello-tries")
    );

    let mut client = Client::new(telling.address);
    for replica in &replicas {
        let answer = client.post("x".into()).await.unwrap();
        assert_eq!(answer.headers()["martello-endpoint"], replica.address.to_string().as_str());
        assert_eq!(answer.headers()["martello-tries"], "1");
    }
    replicas[0].kill();
    let answer = client.post("x".into()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["martello-endpoint"], replicas[1].address.to_string().as_str());
    assert_eq!(answer.headers()["martello-tries"], "2");
    quiet.stop().await;
    telling.stop().await;
}
