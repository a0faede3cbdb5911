//! Whatever a server does to a request, the request is counted once, under the kind of its failure.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::time::Duration;

use martello_load_test::{
    Check, ErrorKind, FailureKind, Limits, Plan, PlanBuilder, Report, RequestTemplate, ThinkTime, Verdict,
};
use server::{Reply, Server, response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

mod server;

/// The patience where it has to run out.
const SHORT: Duration = Duration::from_millis(150);

/// The patience where something else has to happen first, however slow this machine is.
const LONG: Duration = Duration::from_secs(20);

/// Ten users for a third of a second.
fn plan(url: &str, patience: Duration) -> PlanBuilder {
    let limits = Limits {
        connect_timeout: patience,
        response_timeout: patience,
        stop_grace: LONG,
        max_response_body: 100_000,
        ..Limits::default()
    };
    let check = Check::success().and_body_contains("prediction");
    Plan::builder(url)
        .users(10)
        .run_time(Duration::from_millis(300))
        .think_time(ThinkTime::constant(0.02))
        .request(RequestTemplate::post("/predict").json("{}").check(check))
        .limits(limits)
}

/// Runs against a server that does the same to every request, and expects every request to fail as `expected`.
async fn check(reply: Reply, expected: FailureKind) {
    let server = Server::start(move |_| reply.clone()).await;
    let patience = if expected == FailureKind::ResponseTimeout { SHORT } else { LONG };
    let report = plan(&server.url, patience).build().unwrap().run(|_| ()).await.unwrap();
    all_failed_as(&report, expected);
    assert_eq!(report.requests(), server.seen.requests(), "{expected}: every request is counted once");
}

fn all_failed_as(report: &Report, expected: FailureKind) {
    let kinds = report.statistics().failures_by_kind();
    assert_eq!(kinds.keys().collect::<Vec<_>>(), [&expected], "{report}");
    assert!(report.requests() >= 10, "{report}");
    assert_eq!((report.failures(), report.latency().count()), (report.requests(), report.requests()));
    assert_eq!(report.verdict(), Verdict::Fail, "{report}");
}

#[tokio::test]
async fn answers_that_are_complete_but_wrong() {
    check(Reply::status("302 Found", "location: /elsewhere\r\n"), FailureKind::Status(302)).await;
    check(Reply::status("503 Service Unavailable", ""), FailureKind::Status(503)).await;
    check(Reply::ok("sorry"), FailureKind::BodyCheck).await;
}

#[tokio::test]
async fn connections_that_end_too_early() {
    check(Reply::Reset { bytes: Vec::new() }, FailureKind::Reset).await;
    for cut in ["HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"predi"] {
        check(Reply::Reset { bytes: cut.into() }, FailureKind::Reset).await;
    }
    check(Reply::Last { bytes: Vec::new() }, FailureKind::Closed).await;
    check(Reply::Last { bytes: b"HTTP/1.1 200 OK\r\ncontent-le".to_vec() }, FailureKind::Closed).await;
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"prediction\":".to_vec();
    check(Reply::Last { bytes: cut }, FailureKind::Closed).await;
    let cut = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\npredi".to_vec();
    check(Reply::Last { bytes: cut }, FailureKind::Closed).await;
}

#[tokio::test]
async fn bytes_that_are_no_answer() {
    check(Reply::Last { bytes: b"220 mail.example.org ESMTP\r\n".to_vec() }, FailureKind::InvalidResponse)
        .await;
    check(Reply::Last { bytes: b"HTTP/1.1 OK 200\r\n\r\n".to_vec() }, FailureKind::InvalidResponse).await;
    check(Reply::Last { bytes: vec![0; 100] }, FailureKind::InvalidResponse).await;
    let two_lengths = response("200 OK", "content-length: 7\r\n", "prediction");
    check(Reply::Last { bytes: two_lengths }, FailureKind::InvalidResponse).await;
    let no_length = b"HTTP/1.1 200 OK\r\ncontent-length: ten\r\n\r\nprediction".to_vec();
    check(Reply::Last { bytes: no_length }, FailureKind::InvalidResponse).await;
    for bad_chunk in ["xyz\r\n", "10000000000000000\r\n", "1\r\npredi"] {
        let bytes = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{bad_chunk}").into_bytes();
        check(Reply::Last { bytes }, FailureKind::InvalidResponse).await;
    }
    let long_head = format!("x-padding: {}\r\n", "x".repeat(100_000));
    check(Reply::Last { bytes: response("200 OK", &long_head, "prediction") }, FailureKind::HeadTooLarge)
        .await;
}

#[tokio::test]
async fn answers_without_end() {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let endless = |chunk: &str, pause| Reply::Endless { bytes: head.clone(), chunk: chunk.into(), pause };
    let fast = endless(&format!("1000\r\n{}\r\n", "x".repeat(4096)), Duration::ZERO);
    check(fast, FailureKind::BodyTooLarge).await;
    check(endless("1\r\nx\r\n", Duration::from_millis(10)), FailureKind::ResponseTimeout).await;
    let announced = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", u64::MAX / 4).into_bytes();
    let announced = Reply::Endless { bytes: announced, chunk: vec![b'x'; 4096], pause: Duration::ZERO };
    check(announced, FailureKind::BodyTooLarge).await;
    check(Reply::Nothing, FailureKind::ResponseTimeout).await;
    let promised = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nprediction".to_vec();
    check(Reply::Answer { after: Duration::ZERO, bytes: promised }, FailureKind::ResponseTimeout).await;
}

#[tokio::test]
async fn heads_without_end() {
    let endless = |start: &str, more: &str| Reply::Endless {
        bytes: start.into(),
        chunk: more.into(),
        pause: Duration::ZERO,
    };
    check(
        endless("HTTP/1.1 200 OK\r\n", "x-padding: xxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"),
        FailureKind::HeadTooLarge,
    )
    .await;
    check(endless("HTTP/1.1 200 OK\r\nx-padding: ", "xxxxxxxxxxxxxxxx"), FailureKind::HeadTooLarge).await;
    check(endless("", "HTTP/1.1 100 Continue\r\n\r\n"), FailureKind::InvalidResponse).await;
}

/// A server that answers as soon as it has seen the head of a request, and never reads on.
async fn impatient_server(answer: Vec<u8>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.read_exact(&mut [0; 16]).await.unwrap();
            stream.write_all(&answer).await.unwrap();
            held.push(stream);
        }
    });
    url
}

#[tokio::test]
async fn an_answer_that_comes_before_the_request_has_gone_out_is_read() {
    let url = impatient_server(response("413 Content Too Large", "", "")).await;
    let upload = RequestTemplate::post("/upload").body(vec![b'x'; 16 << 20]);
    let limits = Limits { response_timeout: LONG, ..Limits::default() };
    let plan =
        Plan::builder(url).users(3).run_time(Duration::from_millis(300)).request(upload).limits(limits);
    let report = plan.think_time(ThinkTime::constant(0.05)).build().unwrap().run(|_| ()).await.unwrap();
    let kinds = report.statistics().failures_by_kind();
    assert_eq!(kinds.keys().collect::<Vec<_>>(), [&FailureKind::Status(413)], "{report}");
    assert_eq!(report.statistics().connections(), report.requests(), "the rest is not sent: {report}");
}

#[tokio::test]
async fn hosts_that_do_not_connect() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let report = plan(&url, LONG).build().unwrap().run(|_| ()).await.unwrap();
    all_failed_as(&report, FailureKind::ConnectRefused);
    assert_eq!(report.statistics().connections(), 0);
}

#[tokio::test]
async fn a_host_that_accepts_nobody_runs_into_the_connect_timeout() {
    // The kernel completes as many handshakes as the backlog holds and ignores the rest.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address)).await
    {
        held.push(connected.unwrap());
    }
    let report = plan(&format!("http://{address}"), SHORT).build().unwrap().run(|_| ()).await.unwrap();
    all_failed_as(&report, FailureKind::ConnectTimeout);
}

#[tokio::test]
async fn a_host_without_an_address_is_an_error_and_not_a_report() {
    let plan = plan("http://no-such-host.invalid:8000", LONG).build().unwrap();
    let error = plan.run(|_| ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownHost);
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
}
