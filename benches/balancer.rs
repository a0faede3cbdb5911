//! What does the balancer add to a request?
//!
//! `cargo bench --bench balancer`. Once to a service in the same process that does nothing, and once over
//! loopback to a small HTTP server, each beside the same request without the balancer.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1::{SendRequest, handshake},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use martello::balancer::{Balance, Balancer, policy::RoundRobin};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tower::Service;

const BODY: &[u8] = br#"{"feature1":5.3,"feature2":2.1,"feature3":0.8}"#;
const ANSWER: &[u8] = br#"{"prediction":321.3070}"#;

async fn no_op(request: u64) -> Result<u64, Infallible> {
    Ok(request)
}

fn in_process(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    let mut group = c.benchmark_group("balancer/in_process");
    group.throughput(Throughput::Elements(1));
    let mut direct = tower::service_fn(no_op);
    group.bench_function("direct", |bencher| bencher.iter(|| runtime.block_on(direct.call(1))));
    let replicas = ["a", "b", "c"].map(|name| (name, tower::service_fn(no_op)));
    let mut balance = Balance::new(RoundRobin, replicas);
    group.bench_function("balanced", |bencher| bencher.iter(|| runtime.block_on(balance.call(1))));
    group.finish();
}

/// Answers every request with the same prediction.
async fn upstream(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            let answer = service_fn(|request: Request<Incoming>| async move {
                request.into_body().collect().await?;
                Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from_static(ANSWER))))
            });
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await
        });
    }
}

async fn connect(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("the socket is open");
    let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("a new connection is ready");
    tokio::spawn(connection);
    sender
}

async fn predict(sender: &mut SendRequest<Full<Bytes>>) -> Bytes {
    let request = Request::post("/predict")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(BODY)))
        .expect("the request is valid");
    sender.ready().await.expect("the connection stays open");
    let response = sender.send_request(request).await.expect("the server answers");
    let body = response.into_body().collect().await.expect("the answer is whole").to_bytes();
    assert_eq!(body, ANSWER);
    body
}

async fn start() -> (SocketAddr, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let direct = listener.local_addr().expect("the listener is bound");
    tokio::spawn(upstream(listener));
    let balancer = Balancer::builder().listen("127.0.0.1:0").upstream(direct).bind().await;
    let balancer = balancer.expect("loopback has a free port");
    let balanced = balancer.local_addr();
    tokio::spawn(balancer.serve(std::future::pending()));
    (direct, balanced)
}

fn over_loopback(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime starts");
    let (direct, balanced) = runtime.block_on(start());
    let mut group = c.benchmark_group("balancer/loopback");
    group.throughput(Throughput::Elements(1)).measurement_time(Duration::from_secs(3)).sample_size(20);
    for (name, address) in [("direct", direct), ("balanced", balanced)] {
        let mut sender = runtime.block_on(connect(address));
        group.bench_function(name, |bencher| bencher.iter(|| runtime.block_on(predict(&mut sender))));
    }
    group.finish();
}

criterion_group!(benches, in_process, over_loopback);
criterion_main!(benches);
