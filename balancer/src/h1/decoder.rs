//! A body out of the bytes of a connection.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};

use super::chunked::{ChunkedDecoder, take};
use super::framing::Framing;
use super::underscores::Underscores;
use super::violation::Violation;

const TOO_LARGE: Violation =
    Violation::with_status(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than allowed");

/// Takes one body off the front of what a connection delivers.
#[derive(Debug)]
pub(crate) struct Decoder {
    coding: Coding,
    allowed: u64,
}

#[derive(Debug)]
enum Coding {
    Length(u64),
    Chunked(ChunkedDecoder),
    UntilClose { closed: bool },
}

/// What one step of decoding gave.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// Content.
    Data(Bytes),
    /// The trailer section; the body ends here.
    Trailers(HeaderMap),
    /// Nothing until more bytes are read.
    More,
    /// Nothing any more.
    End,
}

/// What of a body was there without waiting.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    pub(crate) content: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Decoder {
    /// Creates a decoder for a body of at most `allowed` bytes.
    ///
    /// # Errors
    ///
    /// When the declared length is past the limit already.
    pub(crate) fn new(framing: Framing, allowed: u64) -> Result<Self, Violation> {
        let coding = match framing {
            Framing::Empty => Coding::Length(0),
            Framing::Length(length) if length > allowed => return Err(TOO_LARGE),
            Framing::Length(length) => Coding::Length(length),
            Framing::Chunked => Coding::Chunked(ChunkedDecoder::new()),
            Framing::UntilClose => Coding::UntilClose { closed: false },
        };
        Ok(Self { coding, allowed })
    }

    /// Says what becomes of trailers whose names have an underscore; they pass unless told otherwise.
    pub(crate) fn treating(mut self, underscores: Underscores) -> Self {
        if let Coding::Chunked(chunked) = &mut self.coding {
            chunked.treat(underscores);
        }
        self
    }

    /// Returns how many bytes of content are to come, if that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        match &self.coding {
            Coding::Length(left) => Some(*left),
            _ if self.is_done() => Some(0),
            _ => None,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        match &self.coding {
            Coding::Length(left) => *left == 0,
            Coding::Chunked(chunked) => chunked.is_done(),
            Coding::UntilClose { closed } => *closed,
        }
    }

    /// Takes the next piece off the front of `buffer`.
    pub(crate) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Decoded, Violation> {
        let decoded = match &mut self.coding {
            Coding::Length(0) => Decoded::End,
            Coding::Length(left) => take(buffer, left).map_or(Decoded::More, Decoded::Data),
            Coding::Chunked(chunked) => chunked.decode(buffer)?,
            Coding::UntilClose { .. } if !buffer.is_empty() => Decoded::Data(buffer.split().freeze()),
            Coding::UntilClose { closed: true } => Decoded::End,
            Coding::UntilClose { closed: false } => Decoded::More,
        };
        if let Decoded::Data(data) = &decoded {
            self.allowed = self.allowed.checked_sub(data.len() as u64).ok_or(TOO_LARGE)?;
        }
        Ok(decoded)
    }

    /// Takes everything that is there; the body is whole if [`is_done`](Self::is_done) afterwards.
    pub(crate) fn decode_ready(&mut self, buffer: &mut BytesMut) -> Result<Ready, Violation> {
        let mut ready = Ready::default();
        let mut joined = BytesMut::new();
        loop {
            match self.decode(buffer)? {
                Decoded::Data(data) if ready.content.is_empty() => ready.content = data,
                Decoded::Data(data) => {
                    if joined.is_empty() {
                        joined.extend_from_slice(&ready.content);
                    }
                    joined.extend_from_slice(&data);
                }
                Decoded::Trailers(trailers) => ready.trailers = Some(trailers),
                Decoded::More | Decoded::End => break,
            }
        }
        if !joined.is_empty() {
            ready.content = joined.freeze();
        }
        Ok(ready)
    }

    /// Learns that nothing more will come; returns whether the body ended cleanly by it.
    pub(crate) fn close(&mut self) -> bool {
        if let Coding::UntilClose { closed } = &mut self.coding {
            *closed = true;
        }
        self.is_done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(framing: Framing, bytes: &[u8], allowed: u64) -> Result<(Bytes, bool, usize), Violation> {
        let mut buffer = BytesMut::from(bytes);
        let mut decoder = Decoder::new(framing, allowed)?;
        let ready = decoder.decode_ready(&mut buffer)?;
        Ok((ready.content, decoder.is_done(), buffer.len()))
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        let cases = [
            (Framing::Empty, &b"next"[..], &b""[..], true, 4),
            (Framing::Length(3), &b"abcnext"[..], &b"abc"[..], true, 4),
            (Framing::Length(3), &b"ab"[..], &b"ab"[..], false, 0),
            (Framing::Chunked, &b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\nnext"[..], &b"abc"[..], true, 4),
            (Framing::Chunked, &b"1\r\na\r\n2\r\nb"[..], &b"ab"[..], false, 0),
            (Framing::UntilClose, &b"abc"[..], &b"abc"[..], false, 0),
        ];
        for (framing, bytes, content, done, left) in cases {
            let expected = Ok((Bytes::from_static(content), done, left));
            assert_eq!(ready(framing, bytes, 100), expected, "{framing:?} {}", bytes.escape_ascii());
        }
    }

    #[test]
    fn the_limit_holds_for_declared_and_for_counted_bytes() {
        assert_eq!(ready(Framing::Length(4), b"", 3).unwrap_err(), TOO_LARGE);
        assert_eq!(ready(Framing::Chunked, b"2\r\nab\r\n2\r\ncd\r\n", 3).unwrap_err(), TOO_LARGE);
        assert!(ready(Framing::Length(3), b"abc", 3).is_ok());
    }

    #[test]
    fn only_a_body_without_framing_ends_by_closing() {
        for (framing, clean) in
            [(Framing::Length(3), false), (Framing::Chunked, false), (Framing::UntilClose, true)]
        {
            assert_eq!(Decoder::new(framing, 100).unwrap().close(), clean, "{framing:?}");
        }
    }
}
