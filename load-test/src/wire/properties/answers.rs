//! Answers to read: most of them right, some with something odd, cut off or changed.

use http::Method;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Fields that say how the body ends, and a body.
type Framed = (String, Vec<u8>);

pub(super) fn methods() -> impl Strategy<Value = Method> {
    select(vec![Method::GET, Method::GET, Method::POST, Method::HEAD])
}

pub(super) fn answers() -> impl Strategy<Value = Vec<u8>> {
    let framed = prop_oneof![2 => right(), 2 => right_in_chunks(), 1 => odd()];
    let whole =
        (interim(), status_line(), fields(), framed).prop_map(|(interim, line, fields, (framing, body))| {
            [interim.as_bytes(), line.as_bytes(), framing.as_bytes(), fields.as_bytes(), b"\r\n", &body]
                .concat()
        });
    let flaw =
        prop_oneof![4 => Just(None), 1 => (any::<Index>(), prop::option::of(0..128_u8)).prop_map(Some)];
    (whole, flaw).prop_map(|(bytes, flaw)| match flaw {
        None => bytes,
        Some((place, change)) => changed(bytes, place, change),
    })
}

/// One chunk of the chunked coding.
pub(super) fn coded(content: &[u8], extension: &str) -> Vec<u8> {
    [format!("{:X}{extension}\r\n", content.len()).as_bytes(), content, b"\r\n"].concat()
}

fn changed(mut bytes: Vec<u8>, place: Index, change: Option<u8>) -> Vec<u8> {
    let place = place.index(bytes.len());
    match change {
        Some(byte) => bytes[place] = byte,
        None => bytes.truncate(place),
    }
    bytes
}

fn interim() -> impl Strategy<Value = String> {
    let one = ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", "\r\n"];
    prop::collection::vec(select(one.to_vec()), 0..3).prop_map(|all| all.concat())
}

fn status_line() -> impl Strategy<Value = String> {
    let version = select(vec!["HTTP/1.1", "HTTP/1.1", "HTTP/1.0"]);
    let status = select(vec![200, 200, 200, 101, 201, 204, 304, 404, 503, 999]);
    let reason = select(vec![" OK", " ", ""]);
    (version, status, reason).prop_map(|(version, status, reason)| format!("{version} {status}{reason}\r\n"))
}

fn fields() -> impl Strategy<Value = String> {
    let usual = [
        "connection: close\r\n",
        "connection: keep-alive\r\n",
        "connection: Keep-Alive, x\r\n",
        "connection: upgrade, Close\r\n",
        "martello-endpoint: a\r\n",
        "Martello-Endpoint:  b \r\n",
        "server: x\n",
        "x:\r\n",
        "x: \u{e9}\r\n",
    ];
    let wrong = ["bad name: x\r\n", "x : y\r\n", "no colon\r\n", " folded\r\n"];
    let one = prop_oneof![15 => select(usual.to_vec()), 1 => select(wrong.to_vec())];
    prop::collection::vec(one, 0..4).prop_map(|fields| fields.concat())
}

fn right() -> impl Strategy<Value = Framed> {
    let content = prop::collection::vec(any::<u8>(), 0..20);
    content.prop_map(|content| (format!("Content-Length: {}\r\n", content.len()), content))
}

fn right_in_chunks() -> impl Strategy<Value = Framed> {
    let coding = select(vec!["chunked", "Chunked", "gzip, chunked "]);
    let extensions = select(vec!["", "", ";a=b", " ", " ;x"]);
    let ends = select(vec!["0\r\n\r\n", "0;x\r\n\r\n", "0\r\nexpires: 0\r\n\r\n", "000 \r\n\r\n"]);
    (coding, chunks(extensions), ends).prop_map(|(coding, mut body, end)| {
        body.extend_from_slice(end.as_bytes());
        (format!("transfer-encoding: {coding}\r\n"), body)
    })
}

fn chunks(extensions: impl Strategy<Value = &'static str>) -> impl Strategy<Value = Vec<u8>> {
    let chunk = (prop::collection::vec(any::<u8>(), 1..20), extensions);
    prop::collection::vec(chunk, 0..4)
        .prop_map(|chunks| chunks.iter().flat_map(|(content, extension)| coded(content, extension)).collect())
}

/// Framings that contradict themselves or the body.
fn odd() -> impl Strategy<Value = Framed> {
    let lengths =
        ["0", "3", "5, 5", "5,6", "", "+3", "x"].map(|length| format!("content-length: {length}\r\n"));
    let codings = ["chunked", "chunked, gzip", ""].map(|coding| format!("transfer-encoding: {coding}\r\n"));
    let fields = prop::collection::vec(select([lengths.to_vec(), codings.to_vec()].concat()), 0..3);
    let ends = select(vec!["0\r\nx\r\n\r\n", "0\r\n", "0\r\n\r\nHTTP", ""]);
    (fields, chunks(select(vec!["", "x", ";\n"])), ends).prop_map(|(fields, mut body, end)| {
        body.extend_from_slice(end.as_bytes());
        (fields.concat(), body)
    })
}
