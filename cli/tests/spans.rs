//! A replica sends the spans of its requests to a collector, as children of the spans that its callers name.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

#[allow(dead_code, reason = "each test file uses its part")]
mod process;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use process::{Server, succeed};
use prost::Message as _;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

#[test]
fn spans_reach_a_collector_with_the_trace_of_the_caller() {
    let data = tempfile::tempdir().unwrap();
    succeed(data.path(), &["train"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let collector = format!("http://{}", listener.local_addr().unwrap());
    let (sender, exported) = channel();
    thread::spawn(move || collect(&listener, &sender));
    let flags =
        ["serve", "--listen", "127.0.0.1:0", "--otlp-endpoint", &collector, "--otlp-service-name", "prices"];
    let mut server = Server::start(data.path(), &flags);

    let of_a_trace =
        ask(&server.address, &format!("traceparent: 00-{TRACE}-{PARENT}-01\r\nx-request-id: 7\r\n"));
    assert!(of_a_trace.starts_with("HTTP/1.1 200") && of_a_trace.contains("x-request-id: 7"), "{of_a_trace}");
    let of_none = ask(&server.address, "traceparent: 00-nonsense\r\n");
    assert!(of_none.starts_with("HTTP/1.1 200"), "{of_none}");
    // The end of the process is the end of the last batch.
    assert_eq!(server.terminate(), Some(0));

    let spans = spans(&exported);
    let named = spans.iter().filter(|span| hex(&span.trace_id) == TRACE).collect::<Vec<_>>();
    let [span] = named.as_slice() else { panic!("{spans:?}") };
    assert_eq!((hex(&span.parent_span_id).as_str(), span.name.as_str(), span.kind), (PARENT, "request", 2));
    let attribute = |key: &str| text(&span.attributes, key);
    assert_eq!(attribute("http.request.method").as_deref(), Some("GET"));
    assert_eq!(attribute("url.path").as_deref(), Some("/health"));
    assert_eq!(attribute("http.response.status_code").as_deref(), Some("200"));
    assert_eq!(attribute("id").as_deref(), Some("7"));
    assert!(span.end_time_unix_nano >= span.start_time_unix_nano && span.start_time_unix_nano > 0);
    // A broken header begins a trace of its own.
    let own = spans.iter().find(|span| hex(&span.trace_id) != TRACE).unwrap();
    assert!(own.parent_span_id.is_empty() && own.trace_id.iter().any(|byte| *byte != 0));
}

/// Answers exports with an empty acceptance, and hands on what was in them.
fn collect(listener: &TcpListener, exported: &Sender<ExportTraceServiceRequest>) {
    for stream in listener.incoming() {
        let (mut stream, exported) = (stream.unwrap(), exported.clone());
        thread::spawn(move || {
            while let Some((head, body)) = request(&mut stream) {
                assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
                assert!(head.contains("content-type: application/x-protobuf"), "{head}");
                exported.send(ExportTraceServiceRequest::decode(body.as_slice()).unwrap()).unwrap();
                let answer =
                    "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
    }
}

/// Reads one request with a length; nothing at the end of the connection.
fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
    let mut receive = |received: &mut Vec<u8>| {
        let length = stream.read(&mut buffer).unwrap_or_default();
        received.extend_from_slice(&buffer[..length]);
        length > 0
    };
    let end = loop {
        if let Some(at) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if !receive(&mut received) {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let length =
        lines.find(|(name, _)| *name == "content-length").map_or(0, |(_, length)| length.parse().unwrap());
    while received.len() < end + length {
        assert!(receive(&mut received), "an export breaks off");
    }
    Some((head, received[end..end + length].to_vec()))
}

fn spans(exported: &Receiver<ExportTraceServiceRequest>) -> Vec<opentelemetry_proto::tonic::trace::v1::Span> {
    let mut spans = Vec::new();
    // The process has ended: what it has sent is on its way.
    while spans.len() < 2 {
        let request = exported.recv_timeout(Duration::from_secs(20)).expect("the spans are exported");
        for resource in request.resource_spans {
            let attributes = resource.resource.expect("spans are somebody's").attributes;
            assert_eq!(text(&attributes, "service.name").as_deref(), Some("prices"));
            spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    spans
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match &found.value {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => Some(text.clone()),
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ask(address: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
