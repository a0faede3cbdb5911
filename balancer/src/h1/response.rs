//! The head of a response (RFC 9112 section 4).

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::thread::LocalKey;

use bytes::Bytes;
use http::{Response, StatusCode, Version};

use super::body::Body;
use super::fields::{self, Facts, Fields, Keep};
use super::framing::{self, Framing, RequestMethod};
use super::known::{Head, Shelf};
use super::limits::Limits;
use super::rules::Rules;
use super::scan::HeadScan;
use super::violation::Violation;

/// A response's head, checked by every rule that the codec knows.
#[derive(Clone, Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    version: Version,
    pub(crate) fields: Fields,
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
}

impl ResponseHead {
    /// Returns the response, with its body.
    pub(crate) fn with(self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.version_mut() = self.version;
        match self.fields {
            Fields::Map(map) => *response.headers_mut() = map,
            Fields::Verbatim(fields) => response.body_mut().put_fields(fields),
        }
        response
    }

    /// Returns the response without a body, all fields in its map.
    pub(crate) fn alone(self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        *response.version_mut() = self.version;
        *response.headers_mut() = self.fields.into_map();
        response
    }
}

#[cfg(test)]
impl ResponseHead {
    /// Returns what is sent on with a body as long as it declares and with one that is not, and whether the connection stays.
    pub(super) fn said(&self) -> String {
        let declared = match self.framing {
            Framing::Length(length) => length as usize,
            Framing::Empty | Framing::Chunked | Framing::UntilClose => 0,
        };
        let written = [declared, declared + 1, 0].map(|length| {
            let (head, body) = self.clone().with(Body::from(vec![b'a'; length])).into_parts();
            let (mut out, mut persistence) = (Vec::new(), super::encode::Persistence::KeepAlive);
            let asked = (RequestMethod::Other, Version::HTTP_11);
            let response = Response::from_parts(head, ());
            let framing = super::encode::response(&mut out, &response, &body, asked, &mut persistence);
            (String::from_utf8_lossy(&out).into_owned(), framing, persistence)
        });
        let pure = match &self.fields {
            Fields::Map(fields) => fields.contains_key("martello-pure"),
            Fields::Verbatim(fields) => fields.is_pure(),
        };
        format!("{:?} {} {pure} {written:?}", self.framing, self.keep_alive)
    }
}

/// Remembered are answers to any request but HEAD and one for another protocol, whose answers read otherwise.
impl Head for ResponseHead {
    fn shelf() -> &'static LocalKey<RefCell<Shelf<Self>>> {
        thread_local!(static SHELF: RefCell<Shelf<ResponseHead>> = const { RefCell::new(Shelf::new()) });
        &SHELF
    }

    fn parts_mut(&mut self) -> (&mut Fields, Framing) {
        (&mut self.fields, self.framing)
    }
}

const NOT_HTTP: Violation = Violation::malformed("the answer does not start with an HTTP/1 status line");
const LONG_HEAD: Violation = Violation::malformed("the head of the answer is too long");
const MALFORMED: Violation =
    Violation::malformed("the head of the answer is malformed (RFC 9112 section 2.1)");
pub(crate) const UPGRADE: Violation =
    Violation::malformed("the answer switches protocols without having been asked (RFC 9110 section 15.2.2)");

/// Returns the length of the head at the front of `buffer` once it is whole, within the limits.
pub(crate) fn find(scan: &mut HeadScan, buffer: &[u8], limits: &Limits) -> Result<Option<usize>, Violation> {
    const START: &[u8] = b"HTTP/1.";
    if buffer.iter().zip(START).any(|(got, expected)| got != expected) {
        return Err(NOT_HTTP);
    }
    let end = scan.end_of_head(buffer)?;
    if end.unwrap_or(buffer.len()) > limits.head_bytes {
        return Err(LONG_HEAD);
    }
    Ok(end)
}

/// Parses a whole head; the values of the response share its memory. An interim (1xx) response has no framing.
pub(crate) fn parse(head: &Bytes, request: RequestMethod, rules: &Rules) -> Result<ResponseHead, Violation> {
    let Rules { limits, keep, underscores } = *rules;
    let mut room = [const { MaybeUninit::uninit() }; Limits::MAX_FIELDS];
    let room = &mut room[..limits.fields.min(Limits::MAX_FIELDS)];
    let mut parsed = httparse::Response::new(&mut []);
    let mut parser = httparse::ParserConfig::default();
    // RFC 9112 section 5.1: a proxy removes such blanks from a response, where it refuses them in a request.
    parser.allow_spaces_after_header_name_in_responses(true);
    let status =
        parser.parse_response_with_uninit_headers(&mut parsed, head, room).map_err(fields::violation_of)?;
    if status.is_partial() {
        return Err(MALFORMED);
    }
    let version = if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let status = StatusCode::from_u16(parsed.code.unwrap_or_default()).map_err(|_| MALFORMED)?;
    if status == StatusCode::SWITCHING_PROTOCOLS
        && (request != RequestMethod::Upgrade || version < Version::HTTP_11)
    {
        return Err(UPGRADE);
    }
    let facts = fields::check(head, parsed.headers, underscores)?;
    let framing = framing::of_response(request, status, version, &facts)?;
    // Without content the length that was declared is passed on, and it is not kept verbatim.
    let keep = if facts.content_length.is_some() && framing == Framing::Empty { Keep::Map } else { keep };
    let fields = fields::keep(head, parsed.headers, &facts, keep)?;
    let ends = framing == Framing::UntilClose || announces_what_never_comes(status, &facts);
    let keep_alive = !ends && framing::keeps_alive(version, &facts);
    Ok(ResponseHead { status, version, fields, framing, keep_alive })
}

/// Whether content is declared for a status that has none (RFC 9110 section 8.6, RFC 9112 section 6.1): whoever does so
/// may send it, too, and it would be taken for the next answer.
fn announces_what_never_comes(status: StatusCode, facts: &Facts<'_>) -> bool {
    status == StatusCode::NO_CONTENT
        && (facts.chunked || facts.content_length.is_some_and(|length| length > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> Result<ResponseHead, Violation> {
        let limits = Limits::for_responses();
        find(&mut HeadScan::default(), text.as_bytes(), &limits)?.expect("the head is whole");
        let rules = Rules::for_responses(limits, Keep::Map);
        parse(&Bytes::copy_from_slice(text.as_bytes()), RequestMethod::Other, &rules)
    }

    #[test]
    fn a_response_is_what_it_says() {
        let cases = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", Framing::Length(3), true),
            ("HTTP/1.1 200\r\nContent-Length: 3\r\n\r\n", Framing::Length(3), true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n", Framing::Chunked, true),
            ("HTTP/1.1 200 OK\r\n\r\n", Framing::UntilClose, false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", Framing::Length(3), false),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n",
                Framing::Length(3),
                true,
            ),
            ("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", Framing::Empty, false),
            ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", Framing::Empty, true),
            ("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", Framing::Empty, false),
            ("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", Framing::Empty, false),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", Framing::Empty, true),
            ("HTTP/1.1 100 Continue\r\n\r\n", Framing::Empty, true),
        ];
        for (text, framing, keep_alive) in cases {
            let head = parse_text(text).unwrap();
            assert_eq!((head.framing, head.keep_alive), (framing, keep_alive), "{text:?}");
        }
    }

    // RFC 9112 sections 4, 5.2, 6.1 and 6.3; each is a 502 for the client and the end of the connection.
    #[test]
    fn what_two_recipients_could_read_differently_is_refused() {
        let cases = [
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\0\r\n\r\n",
            "HTTP/1.1 200 OK\nX: a\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "ICY 200 OK\r\n\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        ];
        for text in cases {
            assert!(parse_text(text).is_err(), "{}", text.escape_debug());
        }
    }
}
