//! The chunked transfer coding (RFC 9112 section 7.1).

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http::header::{self, HeaderName};
use memchr::memchr;

use super::decoder::Decoded;
use super::fields;
use super::limits::Limits;
use super::scan::HeadScan;
use super::underscores::Underscores;
use super::violation::Violation;

/// The most bytes in a chunk's size line. 256 is far past 16 hexadecimal digits and any extension in use, and
/// keeps a stream of one-byte chunks from costing more than a few hundred times its content.
const SIZE_LINE_BYTES: usize = 256;

/// The most bytes in a trailer section. 8 KiB, as one field line may be in a head.
const TRAILER_BYTES: usize = 8 * 1024;

const BAD_SIZE: Violation = Violation::malformed("a chunk size is not hexadecimal (RFC 9112 section 7.1)");
const LONG_LINE: Violation = Violation::malformed("a chunk's size line is too long (RFC 9112 section 7.1.1)");
const BAD_EXTENSION: Violation =
    Violation::malformed("a chunk extension is malformed (RFC 9112 section 7.1.1)");
const BAD_END: Violation = Violation::malformed("a chunk does not end with CR LF (RFC 9112 section 7.1)");
const LONG_TRAILER: Violation =
    Violation::malformed("the trailer section is too long (RFC 9112 section 7.1.2)");

/// Takes the chunked coding off, from bytes split at any place.
#[derive(Debug)]
pub(crate) struct ChunkedDecoder {
    state: State,
    underscores: Underscores,
}

#[derive(Debug)]
enum State {
    Size,
    Content { left: u64 },
    ContentEnd,
    Trailers { scan: HeadScan },
    Done,
}

impl ChunkedDecoder {
    pub(crate) fn new() -> Self {
        Self { state: State::Size, underscores: Underscores::Pass }
    }

    /// What becomes of trailers whose names have an underscore.
    pub(super) fn treat(&mut self, underscores: Underscores) {
        self.underscores = underscores;
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes as much as it can use off the front of `buffer`.
    pub(crate) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Decoded, Violation> {
        loop {
            match &mut self.state {
                State::Size => match size_line(buffer)? {
                    None => return Ok(Decoded::More),
                    Some(0) => self.state = State::Trailers { scan: HeadScan::default() },
                    Some(left) => self.state = State::Content { left },
                },
                State::Content { left } => {
                    let content = take(buffer, left);
                    if *left == 0 {
                        self.state = State::ContentEnd;
                    }
                    return Ok(content.map_or(Decoded::More, Decoded::Data));
                }
                State::ContentEnd => match content_end(buffer)? {
                    false => return Ok(Decoded::More),
                    true => self.state = State::Size,
                },
                State::Trailers { scan } => {
                    let Some(end) = end_of_trailers(scan, buffer)? else { return Ok(Decoded::More) };
                    let trailers = trailers(&buffer.split_to(end).freeze(), self.underscores)?;
                    // Not before: behind a section that is refused, no next message starts.
                    self.state = State::Done;
                    return Ok(if trailers.is_empty() { Decoded::End } else { Decoded::Trailers(trailers) });
                }
                State::Done => return Ok(Decoded::End),
            }
        }
    }
}

/// Takes at most `left` bytes, counting them down; `None` when there are none.
pub(super) fn take(buffer: &mut BytesMut, left: &mut u64) -> Option<Bytes> {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
    *left -= length as u64;
    (length > 0).then(|| buffer.split_to(length).freeze())
}

fn size_line(buffer: &mut BytesMut) -> Result<Option<u64>, Violation> {
    let window = &buffer[..buffer.len().min(SIZE_LINE_BYTES)];
    let Some(newline) = memchr(b'\n', window) else {
        return if buffer.len() >= SIZE_LINE_BYTES { Err(LONG_LINE) } else { Ok(None) };
    };
    let size = parse_size_line(&window[..newline])?;
    buffer.advance(newline + 1);
    Ok(Some(size))
}

/// `chunk-size [ chunk-ext ] CR`: blanks are allowed before an extension only.
fn parse_size_line(line: &[u8]) -> Result<u64, Violation> {
    let Some((b'\r', line)) = line.split_last() else { return Err(BAD_END) };
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    // Blanks are SP and HTAB here; a form feed is none, and a CR is an end that another recipient may see.
    let blanks = line[digits..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let extension = &line[digits + blanks..];
    let blank_only = extension.is_empty() && digits < line.len();
    let control = extension.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
    if blank_only || control || !matches!(extension.first(), None | Some(b';')) {
        return Err(if digits == 0 { BAD_SIZE } else { BAD_EXTENSION });
    }
    hexadecimal(&line[..digits]).ok_or(BAD_SIZE)
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    // 15 digits hold 2^60 bytes: no sum of sizes that really arrive can overflow.
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    digits.iter().try_fold(0_u64, |size, digit| Some(size * 16 + u64::from(char::from(*digit).to_digit(16)?)))
}

fn content_end(buffer: &mut BytesMut) -> Result<bool, Violation> {
    match buffer[..] {
        [b'\r', b'\n', ..] => {
            buffer.advance(2);
            Ok(true)
        }
        [] | [b'\r'] => Ok(false),
        _ => Err(BAD_END),
    }
}

fn end_of_trailers(scan: &mut HeadScan, buffer: &BytesMut) -> Result<Option<usize>, Violation> {
    let end = scan.end_of_head(buffer)?;
    if end.unwrap_or(buffer.len()) > TRAILER_BYTES {
        return Err(LONG_TRAILER);
    }
    Ok(end)
}

fn trailers(section: &Bytes, underscores: Underscores) -> Result<HeaderMap, Violation> {
    if section.len() == 2 {
        return Ok(HeaderMap::new());
    }
    let mut parsed = [httparse::EMPTY_HEADER; Limits::MAX_FIELDS];
    let fields = match httparse::parse_headers(section, &mut parsed) {
        Ok(httparse::Status::Complete((_, fields))) => fields,
        Ok(httparse::Status::Partial) => return Err(BAD_END),
        Err(error) => return Err(fields::violation_of(error)),
    };
    let mut map = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes())
            .map_err(|_| fields::violation_of(httparse::Error::HeaderName))?;
        let value = header::HeaderValue::from_maybe_shared(section.slice_ref(field.value))
            .map_err(|_| fields::violation_of(httparse::Error::HeaderValue))?;
        let passes = underscores == Underscores::Pass || !name.as_str().contains('_');
        if passes && may_trail(&name) {
            map.append(name, value);
        }
    }
    Ok(map)
}

/// Fields that frame, route or authenticate a message say nothing when they come after it: they are dropped
/// (RFC 9110 section 6.5.1). So are those that concern one hop, and those by which a proxy says who asked: servers that
/// put trailers among the fields would take them for the proxy's.
fn may_trail(name: &HeaderName) -> bool {
    const NEVER: [HeaderName; 23] = [
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::CONTENT_RANGE,
        header::HOST,
        header::CONNECTION,
        header::TE,
        header::TRAILER,
        header::UPGRADE,
        header::EXPECT,
        header::MAX_FORWARDS,
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::COOKIE,
        header::SET_COOKIE,
        header::VIA,
        header::FORWARDED,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        HeaderName::from_static("x-forwarded-for"),
        HeaderName::from_static("x-forwarded-proto"),
        HeaderName::from_static("x-real-ip"),
    ];
    !NEVER.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<(Vec<u8>, Option<HeaderMap>, bool), Violation> {
        let mut buffer = BytesMut::from(bytes);
        let mut decoder = ChunkedDecoder::new();
        let (mut content, mut trailers) = (Vec::new(), None);
        loop {
            match decoder.decode(&mut buffer)? {
                Decoded::Data(data) => content.extend_from_slice(&data),
                Decoded::Trailers(map) => trailers = Some(map),
                Decoded::More => return Ok((content, trailers, false)),
                Decoded::End => return Ok((content, trailers, true)),
            }
        }
    }

    #[test]
    fn chunks_are_joined() {
        let cases: [(&[u8], &[u8], bool); 8] = [
            (b"0\r\n\r\n", b"", true),
            (b"3\r\nabc\r\n0\r\n\r\n", b"abc", true),
            (b"3\r\nabc\r\n2\r\nde\r\n000\r\n\r\n", b"abcde", true),
            (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789", true),
            (b"3;name=value\r\nabc\r\n0\r\n\r\n", b"abc", true),
            (b"3 ;name=\"v\"\r\nabc\r\n0;x\r\n\r\n", b"abc", true),
            (b"3\r\nab", b"ab", false),
            (b"3\r\nabc\r\n0\r\n", b"abc", false),
        ];
        for (bytes, content, whole) in cases {
            let expected = Ok((content.to_vec(), None, whole));
            assert_eq!(decode(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_is_not_rfc_9112_section_7_1_is_refused() {
        let cases: [(&[u8], Violation); 16] = [
            (b"\r\n", BAD_SIZE),
            (b"g\r\n", BAD_SIZE),
            (b" 3\r\nabc\r\n", BAD_SIZE),
            (b"-3\r\nabc\r\n", BAD_SIZE),
            (b"0x3\r\nabc\r\n", BAD_EXTENSION),
            (b"3 \r\nabc\r\n", BAD_EXTENSION),
            (b"3,3\r\nabc\r\n", BAD_EXTENSION),
            (b"3;a\x00b\r\nabc\r\n", BAD_EXTENSION),
            (b"3;a\rb\r\nabc\r\n", BAD_EXTENSION),
            (b"3\r;a\r\nabc\r\n", BAD_EXTENSION),
            (b"3\x0c;a\r\nabc\r\n", BAD_EXTENSION),
            (b"1000000000000000\r\n", BAD_SIZE),
            (b"3\nabc\r\n", BAD_END),
            (b"3\r\nabcd\r\n", BAD_END),
            (b"3\r\nabc\n0\r\n\r\n", BAD_END),
            (&[b'0'; 300], LONG_LINE),
        ];
        for (bytes, expected) in cases {
            assert_eq!(decode(bytes), Err(expected), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn trailers_arrive_without_what_must_not_trail() {
        let (_, trailers, whole) =
            decode(b"0\r\nx-sum: 7\r\nContent-Length: 5\r\nHost: a\r\nKeep-Alive: 5\r\nX-Real-IP: b\r\n\r\n")
                .expect("valid");
        let trailers = trailers.expect("there are trailers");
        assert!(whole);
        assert_eq!(trailers.len(), 1);
        assert_eq!(trailers["x-sum"], "7");
    }

    #[test]
    fn trailers_with_an_underscore_are_dropped_where_fields_are() {
        for (underscores, expected) in [(Underscores::Drop, 1), (Underscores::Pass, 2)] {
            let mut decoder = ChunkedDecoder::new();
            decoder.treat(underscores);
            let decoded = decoder.decode(&mut BytesMut::from(&b"0\r\nx-sum: 7\r\nX_Real_IP: a\r\n\r\n"[..]));
            let Ok(Decoded::Trailers(trailers)) = decoded else { panic!("there are trailers") };
            assert_eq!(trailers.len(), expected, "{underscores}");
        }
    }

    #[test]
    fn trailers_are_as_strict_as_heads() {
        for bytes in
            [&b"0\r\nx-sum : 7\r\n\r\n"[..], b"0\r\nx: 7\n\r\n", b"0\r\n x: 7\r\n\r\n", b"0\r\nx\r\n\r\n"]
        {
            let mut decoder = ChunkedDecoder::new();
            assert!(decoder.decode(&mut BytesMut::from(bytes)).is_err(), "{}", bytes.escape_ascii());
            assert!(!decoder.is_done(), "{}", bytes.escape_ascii());
        }
        let mut long = b"0\r\nx: ".to_vec();
        long.resize(TRAILER_BYTES + 10, b'a');
        assert_eq!(decode(&long), Err(LONG_TRAILER));
    }
}
