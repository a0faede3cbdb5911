//! What must hold for any bytes, however they are split.

use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use proptest::prelude::*;

use super::*;

/// Cuts text into pieces; every place is possible, also the same one twice.
fn pieces<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

type Read = Result<(Vec<u8>, Option<HeaderMap>, usize), Violation>;

/// Reads a body from bytes that arrive in pieces, up to its end or theirs.
fn read(framing: Framing, arriving: &[&[u8]]) -> Read {
    let mut decoder = Decoder::new(framing, 1 << 20)?;
    let (mut buffer, mut content, mut trailers) = (BytesMut::new(), Vec::new(), None);
    for piece in arriving {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer)? {
                Decoded::Data(data) => content.extend_from_slice(&data),
                Decoded::Trailers(map) => trailers = Some(map),
                Decoded::More | Decoded::End => break,
            }
        }
    }
    Ok((content, trailers, buffer.len()))
}

/// A body that delivers given frames.
struct Frames(std::vec::IntoIter<Frame<Bytes>>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = crate::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, crate::Error>>> {
        std::task::Poll::Ready(self.0.next().map(Ok))
    }
}

fn written(framing: Framing, frames: Vec<Frame<Bytes>>) -> Vec<u8> {
    let (mut outgoing, mut out) = (Outgoing::default(), Vec::new());
    outgoing.head();
    outgoing.start(framing, Body::stream(Frames(frames.into_iter())));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(poll_fn(|cx| outgoing.poll_write(cx, &mut out))).unwrap();
    out
}

fn rules(keep: Keep) -> Rules {
    Rules { limits: Limits::for_requests(), keep, underscores: Underscores::Drop }
}

/// A head as a reader sees it that gets it in pieces: what it says, or which rule it breaks.
fn head_in_pieces(arriving: &[&[u8]]) -> Result<Option<String>, Violation> {
    let limits = Limits::for_requests();
    let (mut scan, mut buffer) = (HeadScan::default(), BytesMut::new());
    for piece in arriving {
        buffer.extend_from_slice(piece);
        if let Some(length) = request::find(&mut scan, &buffer, &limits)? {
            let head = request::parse(&buffer.split_to(length).freeze(), &rules(Keep::Map))?;
            return Ok(Some(format!("{head:?}")));
        }
    }
    Ok(None)
}

proptest! {
    #[test]
    fn a_chunked_body_survives_any_split(
        content in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
        trailer in prop::option::of("[!-~]{1,8}"),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut frames: Vec<_> = content.iter().map(|data| Frame::data(Bytes::from(data.clone()))).collect();
        let trailers = trailer.map(|value| {
            HeaderMap::from_iter([(HeaderName::from_static("x-t"), HeaderValue::try_from(value).unwrap())])
        });
        frames.extend(trailers.clone().map(Frame::trailers));
        let mut bytes = written(Framing::Chunked, frames);
        bytes.extend_from_slice(b"next");
        prop_assert_eq!(read(Framing::Chunked, &pieces(&bytes, &cuts)), Ok((content.concat(), trailers, 4)));
    }

    #[test]
    fn any_bytes_are_the_same_body_however_they_are_split(
        bytes in "([0-9a-f]{1,2}(;[a-z =]{0,3})?\r?\n?|[a\0]{0,12}|\r\n|0\r\n\r\n){0,8}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let whole = read(Framing::Chunked, &[bytes.as_bytes()]);
        prop_assert_eq!(read(Framing::Chunked, &pieces(bytes.as_bytes(), &cuts)), whole);
    }

    #[test]
    fn any_bytes_are_the_same_head_however_they_are_split(
        line in "(GET|POST) (/[a#]?|http://a|[*]) HTTP/1\\.[012](\r\n|\n)",
        fields in "((Host|X-A|Content-Length|Transfer-Encoding) ?: ?(a|3|chunked|\r\n b)\r?\n){0,5}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let bytes = format!("{line}{fields}\r\n");
        let whole = head_in_pieces(&[bytes.as_bytes()]);
        prop_assert_eq!(head_in_pieces(&pieces(bytes.as_bytes(), &cuts)), whole);
    }

    #[test]
    fn a_head_that_is_known_says_what_it_said(
        line in "(GET|POST|HEAD) (/[ab]{0,2}|http://a|[*]) HTTP/1\\.[01]\r\n",
        fields in "((Host|X_A|Content-Length|Connection|Via) ?: ?(a|3|close|\r\n b)\r\n){0,5}",
        behind in "[a\r\n]{0,9}",
    ) {
        let (mut heads, rules) = (Heads::default(), rules(Keep::Verbatim));
        let bytes = Bytes::from(format!("{line}{fields}\r\n"));
        let fresh = request::parse(&bytes, &rules).map(|head| Some(head.said()));
        let buffer = [&bytes[..], behind.as_bytes()].concat();
        for _ in 0..4 {
            let read = match heads.again(&buffer) {
                Some(length) => {
                    prop_assert_eq!(length, bytes.len());
                    Ok(())
                }
                None => heads.read(&bytes, &rules, |head| request::parse(head, &rules)),
            };
            let said = heads.take().map(|head| head.said());
            prop_assert_eq!(read.map(|()| said), fresh.clone());
        }
    }

    #[test]
    fn an_answer_whose_head_is_known_says_what_it_said(
        status in "HTTP/1\\.[01] (200|204|304|404|500) a\r\n",
        fields in "((X_A|Content-Length|Transfer-Encoding|Connection|Martello-Pure) ?: ?(a|3|0|close|chunked|[?]1)\r\n){0,5}",
    ) {
        let rules = Rules::for_responses(Limits::for_responses(), Keep::Verbatim);
        let bytes = Bytes::from(format!("{status}{fields}\r\n"));
        let parse = |head: &Bytes| response::parse(head, RequestMethod::Other, &rules);
        let fresh = parse(&bytes).map(|head| Some(head.said()));
        let mut heads = Heads::default();
        for _ in 0..4 {
            let read = match heads.again(&bytes) {
                Some(_) => Ok(()),
                None => heads.read(&bytes, &rules, parse),
            };
            let said = heads.take().map(|head| head.said());
            prop_assert_eq!(read.map(|()| said), fresh.clone());
        }
    }

    #[test]
    fn nothing_that_comes_in_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let of_answers = Rules::for_responses(Limits::for_responses(), Keep::Verbatim);
        let ended = Bytes::from([&bytes[..], b"\r\n\r\n"].concat());
        for start in ["", "GET ", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost:"] {
            let head = Bytes::from([start.as_bytes(), &ended].concat());
            let _ = request::parse(&head, &rules(Keep::Verbatim));
        }
        for start in ["", "HTTP/1.1 ", "HTTP/1.1 200\r\n", "HTTP/1.1 200\r\nX:"] {
            let head = Bytes::from([start.as_bytes(), &ended].concat());
            let _ = response::parse(&head, RequestMethod::Other, &of_answers);
        }
        for start in ["", "f", "1\r\na\r\n", "0\r\n"] {
            let _ = read(Framing::Chunked, &[start.as_bytes(), &bytes]);
        }
    }
}
