//! Slow, large and many: each is cut off at its limit, and nobody else notices.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use std::time::Duration;

use fixture::{GOOD, GOOD_ANSWER, Running, get, post};
use martello_serving::Limits;

/// Short for the test's sake, and never the time in which something must be done.
const SHORT: Duration = Duration::from_millis(50);

async fn well(replica: &Running) {
    assert_eq!(replica.ask(post("/predict", GOOD)).await.status, 200);
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let replica = Running::with_limits(Limits { head_read: SHORT, ..Limits::default() }).await;
    let mut silent = replica.connect().await;
    let mut slow = replica.connect().await;
    slow.send("GET /health HTTP/1.1\r\nx: ").await;
    assert!(silent.is_closed().await);
    assert!(slow.is_closed().await);
    well(&replica).await;
}

#[tokio::test]
async fn a_head_that_trickles_is_cut_off_all_the_same() {
    let limits = Limits { head_read: SHORT, idle: Duration::from_secs(600), ..Limits::default() };
    let replica = Running::with_limits(limits).await;
    let mut client = replica.connect().await;
    client.send(get("/health")).await;
    client.answer().await.unwrap();
    let (mut trickle, mut ticks) = (0, tokio::time::interval(SHORT / 10));
    let trickling = async {
        loop {
            ticks.tick().await;
            client.send_what_is_taken(b"G").await;
            trickle += 1;
            if client.has_ended() {
                break;
            }
        }
    };
    tokio::time::timeout(fixture::PATIENCE, trickling).await.expect("the connection is cut off");
    assert!(trickle > 1);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let limits = Limits { idle: SHORT, head_read: Duration::from_secs(600), ..Limits::default() };
    let replica = Running::with_limits(limits).await;
    let mut client = replica.connect().await;
    client.send(post("/predict", GOOD)).await;
    client.answer().await.unwrap();
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_408() {
    let replica = Running::with_limits(Limits { body_read: SHORT, ..Limits::default() }).await;
    let mut client = replica.connect().await;
    client.send("POST /predict HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\n{\"fea").await;
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.status, answer.text()), (408, r#"{"detail":"Request body not received in time"}"#));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_body_that_is_announced_too_long_is_413_at_once() {
    let replica = Running::with_limits(Limits::default()).await;
    let mut client = replica.connect().await;
    client.send("POST /predict HTTP/1.1\r\nhost: test\r\ncontent-length: 10485761\r\nexpect: 100-continue\r\n\r\n").await;
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.status, answer.text()), (413, r#"{"detail":"Request body too large"}"#));
}

#[tokio::test]
async fn a_client_that_sends_eleven_megabytes_first_still_reads_its_413() {
    let replica = Running::with_limits(Limits::default()).await;
    let mut client = replica.connect().await;
    let body = vec![b' '; 11 << 20];
    let head = format!("POST /predict HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n", body.len());
    client.send(head).await;
    client.send(&body).await;
    assert_eq!(client.answer().await.unwrap().status, 413);
    well(&replica).await;
}

#[tokio::test]
async fn the_bytes_of_a_chunked_body_are_counted() {
    let replica = Running::with_limits(Limits { body_bytes: 60, ..Limits::default() }).await;
    let chunked = |body: &str| {
        let chunks: String = body
            .as_bytes()
            .chunks(7)
            .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)))
            .collect();
        format!("POST /predict HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
    };
    let answer = replica.ask(chunked(GOOD)).await;
    assert_eq!((answer.status, answer.text()), (200, GOOD_ANSWER));
    assert_eq!(replica.ask(chunked(&format!("{GOOD}{}", " ".repeat(61 - GOOD.len())))).await.status, 413);
}

#[tokio::test]
async fn a_head_with_too_many_fields_is_431() {
    let replica = Running::with_limits(Limits::default()).await;
    let with_fields = |count| format!("GET /health HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
    assert_eq!(replica.ask(with_fields(100)).await.status, 200);
    assert_eq!(replica.ask(with_fields(101)).await.status, 431);
    let replica = Running::with_limits(Limits { header_fields: 5, ..Limits::default() }).await;
    assert_eq!(replica.ask(with_fields(5)).await.status, 200);
    assert_eq!(replica.ask(with_fields(6)).await.status, 431);
}

#[tokio::test]
async fn a_head_with_too_many_bytes_is_431() {
    let replica = Running::with_limits(Limits::default()).await;
    let with_bytes = |count| format!("GET /health HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(count));
    assert_eq!(replica.ask(with_bytes(16_000)).await.status, 200);
    assert_eq!(replica.ask(with_bytes(17_000)).await.status, 431);
}

#[tokio::test]
async fn a_connection_beyond_the_limit_waits_for_its_turn() {
    let replica = Running::with_limits(Limits { connections: 1, ..Limits::default() }).await;
    let mut first = replica.connect().await;
    first.send(get("/health")).await;
    first.answer().await.unwrap();
    let mut second = replica.connect().await;
    second.send(get("/health")).await;
    first.send(get("/health")).await;
    assert_eq!(first.answer().await.unwrap().status, 200);
    drop(first);
    assert_eq!(second.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let replica =
        Running::with_limits(Limits { write_stall: SHORT, connections: 1, ..Limits::default() }).await;
    let mut client = replica.connect().await;
    let rows = vec![GOOD; 10_000].join(",");
    let request = post("/predict", &format!("[{rows}]"));
    // Far more answers than the sockets' buffers hold, none of which is read.
    let pushing = async { while client.push(request.as_bytes()).await {} };
    tokio::time::timeout(fixture::PATIENCE, pushing).await.expect("the connection is cut off");
    well(&replica).await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let replica = Running::with_limits(Limits::default()).await;
    let mut client = replica.connect().await;
    let row = |x: i32| post("/predict", &format!(r#"{{"feature1":{x},"feature2":0,"feature3":0}}"#));
    let requests: String = (0..100).map(row).collect();
    client.send(requests).await;
    for x in 0..100 {
        assert_eq!(client.answer().await.unwrap().text(), format!(r#"{{"prediction":{x}.0}}"#));
    }
}

#[tokio::test]
async fn more_rows_than_the_limit_are_refused() {
    let replica = Running::with_limits(Limits { rows: 2, ..Limits::default() }).await;
    assert_eq!(replica.ask(post("/predict", &format!("[{GOOD},{GOOD}]"))).await.status, 200);
    let answer = replica.ask(post("/predict", &format!("[{GOOD},{GOOD},{GOOD}]"))).await;
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains(r#""msg":"List should have at most 2 items after validation, not 3""#));
}

#[tokio::test]
async fn more_cells_in_a_row_than_the_limit_are_refused() {
    let replica = Running::with_limits(Limits { columns: 4, ..Limits::default() }).await;
    let row = |more: &str| format!("{}{more}}}", &GOOD[..GOOD.len() - 1]);
    let (four, five) = (row(r#","a":1"#), row(r#","a":1,"b":[2]"#));
    assert_eq!(replica.ask(post("/predict", &four)).await.status, 200);
    let answer = replica.ask(post("/predict", &format!("[{four},{five}]"))).await;
    assert_eq!(answer.status, 422);
    assert!(
        answer.text().contains(r#""loc":["body",1],"msg":"Object should have at most 4 members, not 5""#)
    );
    let columns = r#"{"feature1":[1],"feature2":[1],"feature3":[1],"a":[1],"b":[1]}"#;
    let split = r#"{"columns":["feature1","feature2","feature3","a","b"],"data":[[1,2,3,4,5]]}"#;
    for (path, body) in [
        ("/invocations", format!(r#"{{"dataframe_records":[{five}]}}"#)),
        ("/invocations", format!(r#"{{"dataframe_split":{split}}}"#)),
        ("/invocations", format!(r#"{{"inputs":{columns}}}"#)),
        ("/v1/models/model:predict", format!(r#"{{"instances":[{five}]}}"#)),
        ("/v1/models/model:predict", format!(r#"{{"inputs":{columns}}}"#)),
    ] {
        let answer = replica.ask(post(path, &body)).await;
        assert_eq!(answer.status, 400, "{path} {body}");
        assert!(answer.text().contains("a row may have at most 4 cells, not 5"), "{}", answer.text());
    }
    // A model of three columns is not touched by a limit of two.
    let replica = Running::with_limits(Limits { columns: 2, ..Limits::default() }).await;
    assert_eq!(replica.ask(post("/predict", GOOD)).await.status, 200);
}

#[tokio::test]
async fn an_answer_stays_small_whatever_was_sent() {
    let replica = Running::with_limits(Limits::default()).await;
    let many = format!("[{}]", vec!["{}"; 10_000].join(","));
    let long = format!(r#"{{"feature1":"{}"}}"#, "x".repeat(1 << 20));
    for body in [many, long] {
        let answer = replica.ask(post("/predict", &body)).await;
        assert_eq!(answer.status, 422);
        assert!(answer.body.len() < 600 << 10, "{} bytes", answer.body.len());
        serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap();
    }
}

#[tokio::test]
async fn predictions_beyond_the_limit_are_shed_and_health_is_not() {
    let replica = Running::with_limits(Limits { predictions_in_flight: 1, ..Limits::default() }).await;
    let request = post("/predict", GOOD);
    let (most, end) = request.split_at(request.len() - 1);
    let mut first = replica.connect().await;
    first.send(most).await;
    let shed = async {
        loop {
            let answer = replica.ask(post("/predict", GOOD)).await;
            if answer.status == 503 {
                break answer;
            }
        }
    };
    let answer = tokio::time::timeout(fixture::PATIENCE, shed).await.expect("the first request is in flight");
    assert_eq!(answer.header("martello-not-processed"), Some("shed"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(replica.ask(get("/health")).await.status, 200);
    first.send(end).await;
    assert_eq!(first.answer().await.unwrap().status, 200);
    well(&replica).await;
}
