//! Heads onto the wire.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, Version};
use http_body::Body as _;

use super::body::Body;
use super::framing::{self, Framing, RequestMethod};
use super::numbers::content_length;
use super::upgrade::Upgrade;

/// What the answer to a client says about its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    KeepAlive,
    Close,
}

/// Writes a request's head in HTTP/1.1 and returns how its body is framed; `host` stands in for a missing `Host`.
pub(crate) fn request(out: &mut Vec<u8>, request: &Parts, body: &Body, host: &str) -> Framing {
    out.extend_from_slice(request.method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(request.uri.path_and_query().map_or("/", |target| target.as_str()).as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let framing = request_framing(&request.method, body);
    let mut written = write_fields(out, &request.headers, Length::Ours);
    let mut is_framed = false;
    if let Some(fields) = body.fields() {
        is_framed = fields.write(out, framing);
        // Without a host they would not have been kept as they came.
        written.host = true;
    }
    // RFC 9110 sections 7.8 and 10.1.4: both concern this hop, and Connection says so.
    match (Upgrade::among(&request.extensions), written.te) {
        (Some(upgrade), te) => {
            out.extend_from_slice(if te { b"connection: upgrade, te" } else { b"connection: upgrade" });
            out.extend_from_slice(b"\r\nupgrade: ");
            out.extend_from_slice(upgrade.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        (None, true) => out.extend_from_slice(b"connection: te\r\n"),
        (None, false) => {}
    }
    if !written.host {
        out.extend_from_slice(b"host: ");
        out.extend_from_slice(host.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if !is_framed {
        write_framing(out, framing, anticipates_content(&request.method));
    }
    out.extend_from_slice(b"\r\n");
    framing
}

/// Writes a response's head and returns how its body is framed.
///
/// `persistence` becomes [`Persistence::Close`] where the framing or the service asks for it.
pub(crate) fn response<B>(
    out: &mut Vec<u8>,
    response: &Response<B>,
    body: &Body,
    asked: (RequestMethod, Version),
    persistence: &mut Persistence,
) -> Framing {
    let (method, version) = asked;
    let status = response.status();
    let bodiless = method == RequestMethod::Head || framing::has_no_content(status);
    let framing = if bodiless { Framing::Empty } else { response_framing(version, body) };
    if framing == Framing::UntilClose || asks_to_close(response.headers()) {
        *persistence = Persistence::Close;
    }
    status_line(out, status);
    let no_length = status.is_informational() || status == StatusCode::NO_CONTENT;
    let length = if bodiless && !no_length { Length::AsGiven } else { Length::Ours };
    let is_framed = body.fields().is_some_and(|fields| fields.write(out, framing));
    write_fields(out, response.headers(), length);
    if !bodiless && !is_framed {
        write_framing(out, framing, true);
    }
    if let Some(tunnel) = body.as_tunnel() {
        // RFC 9110 section 15.2.2; and what follows is not this protocol's any more.
        *persistence = Persistence::Close;
        out.extend_from_slice(b"connection: upgrade\r\nupgrade: ");
        out.extend_from_slice(tunnel.protocol.as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        return framing;
    }
    match (*persistence, version) {
        (Persistence::Close, _) => out.extend_from_slice(b"connection: close\r\n"),
        // RFC 9112 section 9.3: an HTTP/1.0 client has to be told.
        (Persistence::KeepAlive, Version::HTTP_10) => out.extend_from_slice(b"connection: keep-alive\r\n"),
        (Persistence::KeepAlive, _) => {}
    }
    out.extend_from_slice(b"\r\n");
    framing
}

/// Writes an interim response, which has no content and says nothing of its connection.
pub(crate) fn interim(out: &mut Vec<u8>, response: &Response<()>) {
    status_line(out, response.status());
    write_fields(out, response.headers(), Length::Ours);
    out.extend_from_slice(b"\r\n");
}

fn status_line(out: &mut Vec<u8>, status: StatusCode) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Writes the fields of a trailer section and its end.
pub(crate) fn trailers(out: &mut Vec<u8>, trailers: &HeaderMap) {
    out.extend_from_slice(b"0\r\n");
    write_fields(out, trailers, Length::Ours);
    out.extend_from_slice(b"\r\n");
}

/// Whose `Content-Length` goes out: the one that this codec knows to be true, or, where there is no content to
/// frame (the answer to HEAD, 304), the one that describes it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Ours,
    AsGiven,
}

/// Which fields of interest were among those written.
#[derive(Default)]
struct Written {
    host: bool,
    te: bool,
}

/// Writes the fields but for what the codec itself says.
fn write_fields(out: &mut Vec<u8>, fields: &HeaderMap, length: Length) -> Written {
    let mut written = Written::default();
    for (name, value) in fields {
        if *name == TRANSFER_ENCODING
            || *name == CONNECTION
            || (*name == CONTENT_LENGTH && length == Length::Ours)
        {
            continue;
        }
        written.host |= *name == HOST;
        written.te |= *name == TE;
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    written
}

fn write_framing(out: &mut Vec<u8>, framing: Framing, say_empty: bool) {
    match framing {
        Framing::Length(length) => content_length(out, length),
        Framing::Empty if say_empty => content_length(out, 0),
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Framing::Empty | Framing::UntilClose => {}
    }
}

fn request_framing(method: &Method, body: &Body) -> Framing {
    match body.size_hint().exact() {
        Some(0) => Framing::Empty,
        Some(length) => Framing::Length(length),
        // RFC 9110 section 9.3.8.
        None if method == Method::TRACE => Framing::Empty,
        None => Framing::Chunked,
    }
}

fn response_framing(version: Version, body: &Body) -> Framing {
    match body.size_hint().exact() {
        Some(0) => Framing::Empty,
        Some(length) => Framing::Length(length),
        None if version >= Version::HTTP_11 => Framing::Chunked,
        None => Framing::UntilClose,
    }
}

/// RFC 9110 section 8.6: these methods say a length of zero, since their meaning anticipates content.
fn anticipates_content(method: &Method) -> bool {
    method == Method::POST || method == Method::PUT || method == Method::PATCH
}

fn asks_to_close(fields: &HeaderMap) -> bool {
    let mut options =
        fields.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use http::Request;
    use http_body::Frame;

    use super::*;
    use crate::error::Error;

    /// A body that does not know how long it is.
    struct Unknown;

    impl http_body::Body for Unknown {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            Poll::Ready(None)
        }
    }

    fn request_text(builder: http::request::Builder, body: &Body) -> String {
        let mut out = Vec::new();
        request(&mut out, &builder.body(()).unwrap().into_parts().0, body, "replica:1");
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_request_is_framed_by_its_body_alone() {
        let post = || Request::post("/p?q=1").header("host", "a").header("content-length", "99");
        let cases = [
            (post(), Body::from("abc"), "POST /p?q=1 HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n"),
            (post(), Body::empty(), "POST /p?q=1 HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"),
            (
                post().header("transfer-encoding", "gzip").header("connection", "close"),
                Body::stream(Unknown),
                "POST /p?q=1 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
            ),
            (Request::get("/"), Body::empty(), "GET / HTTP/1.1\r\nhost: replica:1\r\n\r\n"),
            (Request::options("*"), Body::empty(), "OPTIONS * HTTP/1.1\r\nhost: replica:1\r\n\r\n"),
        ];
        for (builder, body, expected) in cases {
            assert_eq!(request_text(builder, &body), expected);
        }
    }

    fn response_text(status: u16, body: &Body, method: RequestMethod, version: Version) -> String {
        let head = Response::builder().status(status).header("content-length", "99").header("x", "y");
        let mut out = Vec::new();
        let mut persistence = Persistence::KeepAlive;
        response(&mut out, &head.body(()).unwrap(), body, (method, version), &mut persistence);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_response_is_framed_for_who_asked() {
        use RequestMethod::{Head, Other};
        const NOW: Version = Version::HTTP_11;
        const OLD: Version = Version::HTTP_10;
        let cases = [
            (200, Body::from("abc"), Other, NOW, "HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 3\r\n\r\n"),
            (200, Body::empty(), Other, NOW, "HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 0\r\n\r\n"),
            (
                200,
                Body::stream(Unknown),
                Other,
                NOW,
                "HTTP/1.1 200 OK\r\nx: y\r\ntransfer-encoding: chunked\r\n\r\n",
            ),
            (200, Body::stream(Unknown), Other, OLD, "HTTP/1.1 200 OK\r\nx: y\r\nconnection: close\r\n\r\n"),
            (
                200,
                Body::from("a"),
                Other,
                OLD,
                "HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\n",
            ),
            (200, Body::empty(), Head, NOW, "HTTP/1.1 200 OK\r\ncontent-length: 99\r\nx: y\r\n\r\n"),
            (
                304,
                Body::empty(),
                Other,
                NOW,
                "HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\nx: y\r\n\r\n",
            ),
            (204, Body::from("abc"), Other, NOW, "HTTP/1.1 204 No Content\r\nx: y\r\n\r\n"),
            (599, Body::empty(), Other, NOW, "HTTP/1.1 599 \r\nx: y\r\ncontent-length: 0\r\n\r\n"),
        ];
        for (status, body, method, version, expected) in cases {
            assert_eq!(response_text(status, &body, method, version), expected);
        }
    }

    #[test]
    fn a_service_can_ask_for_the_end_of_a_connection() {
        let head =
            Response::builder().status(StatusCode::OK).header("connection", "x, Close").body(()).unwrap();
        let (mut out, mut persistence) = (Vec::new(), Persistence::KeepAlive);
        let asked = (RequestMethod::Other, Version::HTTP_11);
        response(&mut out, &head, &Body::empty(), asked, &mut persistence);
        assert_eq!(persistence, Persistence::Close);
        assert!(String::from_utf8(out).unwrap().ends_with("connection: close\r\n\r\n"));
    }
}
