//! The head of a request (RFC 9112 sections 2 and 3).

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::thread::LocalKey;

use bytes::Bytes;
use http::header::HOST;
use http::{Method, Request, StatusCode, Uri, Version};

use super::body::Body;
use super::fields::{self, Facts, Fields, Keep};
use super::framing::{self, Framing, RequestMethod};
use super::known::{Head, Shelf};
use super::limits::Limits;
use super::rules::Rules;
use super::scan::HeadScan;
use super::target;
use super::violation::Violation;

/// A request's head, checked by every rule that the codec knows.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    method: Method,
    uri: Uri,
    fields: Fields,
    pub(crate) terms: Terms,
}

/// What a request's head says of how it, and the answer to it, pass over the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) method: RequestMethod,
    pub(crate) version: Version,
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
    pub(crate) expects_continue: bool,
}

impl RequestHead {
    /// Returns the request, with its body.
    pub(crate) fn with(self, body: Body) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.terms.version;
        match self.fields {
            Fields::Map(map) => *request.headers_mut() = map,
            Fields::Verbatim(fields) => request.body_mut().put_fields(fields),
        }
        request
    }
}

#[cfg(test)]
impl RequestHead {
    /// Returns its terms, and what is sent on with a body as long as it declares and with one that is not.
    pub(super) fn said(&self) -> String {
        let declared = match self.terms.framing {
            Framing::Length(length) => length as usize,
            Framing::Empty | Framing::Chunked | Framing::UntilClose => 0,
        };
        let written = [declared, declared + 1, 0].map(|length| {
            let (head, body) = self.clone().with(Body::from(vec![b'a'; length])).into_parts();
            let mut out = Vec::new();
            let framing = super::encode::request(&mut out, &head, &body, "host");
            (String::from_utf8_lossy(&out).into_owned(), framing)
        });
        format!("{:?} {written:?}", self.terms)
    }
}

impl Head for RequestHead {
    fn shelf() -> &'static LocalKey<RefCell<Shelf<Self>>> {
        thread_local!(static SHELF: RefCell<Shelf<RequestHead>> = const { RefCell::new(Shelf::new()) });
        &SHELF
    }

    fn parts_mut(&mut self) -> (&mut Fields, Framing) {
        (&mut self.fields, self.terms.framing)
    }
}

const LONG_LINE: Violation =
    Violation::with_status(StatusCode::URI_TOO_LONG, "the request line is too long (RFC 9112 section 3)");
const LONG_HEAD: Violation = Violation::with_status(
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    "the head is too long (RFC 6585 section 5)",
);
const OTHER_VERSION: Violation = Violation::with_status(
    StatusCode::HTTP_VERSION_NOT_SUPPORTED,
    "only HTTP/1.1 and HTTP/1.0 are spoken here (RFC 9110 section 15.6.6)",
);
const CONNECT: Violation =
    Violation::with_status(StatusCode::METHOD_NOT_ALLOWED, "CONNECT is not served (RFC 9110 section 9.3.6)");
const BAD_METHOD: Violation = Violation::malformed("the method is not a token (RFC 9110 section 9.1)");
const TRACE_CONTENT: Violation = Violation::malformed("a TRACE request has content (RFC 9110 section 9.3.8)");

/// Returns the length of the head at the front of `buffer` once it is whole, within the limits.
pub(crate) fn find(scan: &mut HeadScan, buffer: &[u8], limits: &Limits) -> Result<Option<usize>, Violation> {
    let end = scan.end_of_head(buffer)?;
    // That of a whole head is measured when it is parsed.
    if end.is_none() && scan.start_line(buffer) > limits.request_line_bytes {
        return Err(LONG_LINE);
    }
    if end.unwrap_or(buffer.len()) > limits.head_bytes {
        return Err(LONG_HEAD);
    }
    Ok(end)
}

/// Parses a whole head; the values of the request share its memory.
pub(crate) fn parse(head: &Bytes, rules: &Rules) -> Result<RequestHead, Violation> {
    let limits = &rules.limits;
    let mut room = [const { MaybeUninit::uninit() }; Limits::MAX_FIELDS];
    let room = &mut room[..limits.fields.min(Limits::MAX_FIELDS)];
    let mut parsed = httparse::Request::new(&mut []);
    let status = parsed.parse_with_uninit_headers(head, room).map_err(|error| violation_of(error, head))?;
    if status.is_partial() {
        return Err(Violation::malformed("the head is malformed (RFC 9112 section 2.1)"));
    }
    let version = if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let method = parsed.method.unwrap_or_default();
    let target = parsed.path.unwrap_or_default();
    if target.len() + method.len() + " HTTP/1.1\r\n ".len() > limits.request_line_bytes {
        return Err(LONG_LINE);
    }
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| BAD_METHOD)?;
    if method == Method::CONNECT {
        return Err(CONNECT);
    }
    let facts = fields::check(head, parsed.headers, rules.underscores)?;
    let (uri, host) = target::resolve(head.slice_ref(target.as_bytes()), &method, version, &facts)?;
    let keep = if host.is_none() && facts.hosts == 1 { rules.keep } else { Keep::Map };
    let mut fields = fields::keep(head, parsed.headers, &facts, keep)?;
    if let (Fields::Map(map), Some(host)) = (&mut fields, host) {
        map.insert(HOST, host);
    }
    assemble(method, uri, version, fields, &facts)
}

fn assemble(
    method: Method,
    uri: Uri,
    version: Version,
    fields: Fields,
    facts: &Facts<'_>,
) -> Result<RequestHead, Violation> {
    let framing = framing::of_request(version, facts)?;
    if method == Method::TRACE && framing != Framing::Empty {
        return Err(TRACE_CONTENT);
    }
    let keep_alive = framing::keeps_alive(version, facts);
    // An HTTP/1.0 client cannot know the expectation (RFC 9110 section 10.1.1), and there is nothing to wait for
    // without content.
    let expects_continue = facts.expects_continue && version >= Version::HTTP_11 && framing != Framing::Empty;
    let terms = Terms { method: RequestMethod::of(&method), version, framing, keep_alive, expects_continue };
    Ok(RequestHead { method, uri, fields, terms })
}

/// A version that is well formed and not spoken deserves another status than garbage.
fn violation_of(error: httparse::Error, head: &[u8]) -> Violation {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    match (error, words.next(), words.next()) {
        (httparse::Error::Version, Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None)
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            OTHER_VERSION
        }
        _ => fields::violation_of(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Underscores;
    use super::*;

    fn parse_text(text: &str) -> Result<RequestHead, Violation> {
        let head = Bytes::copy_from_slice(text.as_bytes());
        let (limits, underscores) = (Limits::for_requests(), Underscores::Drop);
        parse(&head, &Rules { limits, keep: Keep::Map, underscores })
    }

    fn refused(text: &str) -> u16 {
        parse_text(text).map(|head| format!("{head:?}")).expect_err(text).status().as_u16()
    }

    #[test]
    fn a_request_is_what_it_says() {
        let head =
            parse_text("POST /predict?x=1 HTTP/1.1\r\nHost: a:8000\r\nContent-Length: 5\r\nX-A: b \r\n\r\n");
        let head = head.unwrap();
        assert_eq!(head.terms.framing, Framing::Length(5));
        assert!(head.terms.keep_alive);
        let request = head.with(Body::empty());
        assert_eq!((request.method(), request.uri()), (&Method::POST, &Uri::from_static("/predict?x=1")));
        assert_eq!(request.headers()["x-a"], "b");
    }

    // RFC 9112 section 2.2: whitespace and line ends; section 5.1: no blank before the colon; 5.2: no folding.
    #[test]
    fn a_malformed_head_is_a_400() {
        let cases = [
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{7f}c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / http/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/x\r\nHost: a\r\n\r\n",
            "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
            " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\r\n\r\n",
        ];
        for text in cases {
            assert_eq!(refused(text), 400, "{}", text.escape_debug());
        }
    }

    // RFC 9112 section 3.2.
    #[test]
    fn host_stands_once_and_is_valid() {
        for fields in
            ["", "Host: a\r\nHost: a\r\n", "Host: \r\n", "Host: a b\r\n", "Host: u@a\r\n", "Host: a/b\r\n"]
        {
            assert_eq!(refused(&format!("GET / HTTP/1.1\r\n{fields}\r\n")), 400, "{fields:?}");
        }
        assert!(parse_text("GET / HTTP/1.0\r\n\r\n").is_ok(), "HTTP/1.0 needs none");
        assert_eq!(refused("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
    }

    // RFC 9112 sections 6.1 and 6.3.
    #[test]
    fn framing_is_said_once() {
        let cases = [
            ("HTTP/1.1", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400),
            ("HTTP/1.1", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", 400),
            ("HTTP/1.1", "Content-Length: 3\r\nContent-Length: 3\r\n", 400),
            ("HTTP/1.1", "Content-Length: 3, 3\r\n", 400),
            ("HTTP/1.1", "Content-Length: +3\r\n", 400),
            ("HTTP/1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
            ("HTTP/1.1", "Transfer-Encoding: gzip, chunked\r\n", 501),
            ("HTTP/1.1", "Transfer-Encoding: identity\r\n", 501),
            ("HTTP/1.0", "Transfer-Encoding: chunked\r\n", 400),
        ];
        for (version, fields, status) in cases {
            assert_eq!(
                refused(&format!("POST / {version}\r\nHost: a\r\n{fields}\r\n")),
                status,
                "{fields:?}"
            );
        }
    }

    #[test]
    fn statuses_tell_what_is_wrong() {
        assert_eq!(refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
        assert_eq!(refused("PRI * HTTP/2.0\r\n\r\n"), 505);
        assert_eq!(refused("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"), 405);
        assert_eq!(refused("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n"), 417);
        assert_eq!(refused("TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"), 400);
    }

    #[test]
    fn limits_hold() {
        let long = "a".repeat(9_000);
        assert_eq!(refused(&format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")), 414);
        let many = "x: y\r\n".repeat(100);
        assert_eq!(refused(&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n")), 431);
        let limits = Limits::for_requests();
        let line = find(&mut HeadScan::default(), &[b'a'; 9_000], &limits);
        assert_eq!(line.unwrap_err().status(), StatusCode::URI_TOO_LONG);
        let line =
            find(&mut HeadScan::default(), format!("GET /{long} HTTP/1.1\r\nHost").as_bytes(), &limits);
        assert_eq!(line.unwrap_err().status(), StatusCode::URI_TOO_LONG, "also when its end has come");
        let head = format!("GET / HTTP/1.1\r\nx: {}", "a".repeat(33_000));
        let head = find(&mut HeadScan::default(), head.as_bytes(), &limits);
        assert_eq!(head.unwrap_err().status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }

    #[test]
    fn only_a_body_of_http_1_1_waits_for_100() {
        let expects = |text: &str| parse_text(text).unwrap().terms.expects_continue;
        assert!(expects("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"));
        assert!(!expects("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"));
        assert!(!expects("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"));
    }
}
