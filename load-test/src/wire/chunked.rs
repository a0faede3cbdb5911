//! The chunked transfer coding (RFC 9112 section 7.1), taken off byte by byte without keeping any.

use crate::failure::FailureKind;

/// The most bytes of extensions in a whole body, and of its trailers: 16 KiB each, as in hyper. They are read and
/// ignored, and must not hold a user as a body without end would.
const MOST_IGNORED: usize = 16 * 1024;

/// Where in the coding the next byte belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    FirstDigit,
    Digits,
    Blanks,
    Extension,
    SizeEnd,
    Content,
    ContentCr,
    ContentLf,
    LineStart,
    Trailer,
    TrailerEnd,
    LastLf,
    Over,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunked {
    place: Place,
    /// The size of the chunk as far as it was read, then what is left of it.
    left: u64,
    extensions: usize,
    trailers: usize,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Self { place: Place::FirstDigit, left: 0, extensions: 0, trailers: 0 }
    }

    pub(super) fn is_over(&self) -> bool {
        self.place == Place::Over
    }

    /// The next stretch of content at the front of `bytes`, which loses what was read; `None` when more is needed or
    /// the body is over.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, FailureKind> {
        while !self.is_over() && !bytes.is_empty() {
            if self.place == Place::Content {
                return Ok(Some(self.content(bytes)));
            }
            if let Some((byte, rest)) = bytes.split_first() {
                self.place = self.step(*byte)?;
                *bytes = rest;
            }
        }
        Ok(None)
    }

    fn content<'a>(&mut self, bytes: &mut &'a [u8]) -> &'a [u8] {
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let (content, rest) = bytes.split_at(length);
        *bytes = rest;
        self.left -= length as u64;
        if self.left == 0 {
            self.place = Place::ContentCr;
        }
        content
    }

    fn step(&mut self, byte: u8) -> Result<Place, FailureKind> {
        use Place::{
            Blanks, Content, ContentCr, ContentLf, Digits, Extension, FirstDigit, LastLf, LineStart, Over,
            SizeEnd, Trailer, TrailerEnd,
        };
        Ok(match (self.place, byte) {
            (FirstDigit | Digits, byte) if byte.is_ascii_hexdigit() => self.digit(byte)?,
            (Digits | Blanks, b'\t' | b' ') => Blanks,
            (Digits | Blanks, b';') => Extension,
            (Digits | Blanks | Extension, b'\r') => SizeEnd,
            (Extension, byte) if byte != b'\n' => ignored(&mut self.extensions, Extension)?,
            (SizeEnd, b'\n') if self.left == 0 => LineStart,
            (SizeEnd, b'\n') => Content,
            (ContentCr, b'\r') => ContentLf,
            (ContentLf, b'\n') => FirstDigit,
            (LineStart, b'\r') => LastLf,
            (Trailer, b'\r') => ignored(&mut self.trailers, TrailerEnd)?,
            (LineStart | Trailer, _) => ignored(&mut self.trailers, Trailer)?,
            (TrailerEnd, b'\n') => ignored(&mut self.trailers, LineStart)?,
            (LastLf, b'\n') => Over,
            _ => return Err(FailureKind::InvalidResponse),
        })
    }

    fn digit(&mut self, digit: u8) -> Result<Place, FailureKind> {
        let value = char::from(digit).to_digit(16).map(u64::from);
        let size = self.left.checked_mul(16).zip(value).map(|(size, value)| size + value);
        self.left = size.ok_or(FailureKind::InvalidResponse)?;
        Ok(Place::Digits)
    }
}

fn ignored(count: &mut usize, next: Place) -> Result<Place, FailureKind> {
    *count += 1;
    if *count < MOST_IGNORED { Ok(next) } else { Err(FailureKind::InvalidResponse) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content of `coded` and what follows it, or `None` if it is not over.
    fn decoded(coded: &str) -> Result<Option<(String, String)>, FailureKind> {
        let (mut chunked, mut bytes, mut content) = (Chunked::new(), coded.as_bytes(), Vec::new());
        while let Some(piece) = chunked.next(&mut bytes)? {
            content.extend_from_slice(piece);
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ok(chunked.is_over().then(|| (text(&content), text(bytes))))
    }

    #[test]
    fn content_is_what_the_chunks_hold() {
        let check = |coded: &str, content: &str, rest: &str| {
            assert_eq!(decoded(coded), Ok(Some((content.to_owned(), rest.to_owned()))), "{coded:?}");
        };
        check("0\r\n\r\n", "", "");
        check("3\r\nabc\r\n0\r\n\r\nHTTP", "abc", "HTTP");
        check("00a\r\n0123456789\r\n2 \t\r\n\r\n\r\n0;x=\"y\"\r\n\r\n", "0123456789\r\n", "");
        check("1 ;x\r\na\r\n0\r\nexpires: never\r\nx: y\r\n\r\n", "a", "");
    }

    #[test]
    fn what_has_not_ended_is_not_over() {
        let whole = "3;a=b\r\nabc\r\n0\r\nx: y\r\n\r\n";
        for length in 0..whole.len() {
            assert_eq!(decoded(&whole[..length]), Ok(None), "{length}");
        }
    }

    #[test]
    fn what_is_no_coding_is_refused() {
        let (extension, trailer) = ("x".repeat(MOST_IGNORED), "x".repeat(MOST_IGNORED));
        let (extension, trailer) = (format!("1;{extension}\r\na"), format!("0\r\n{trailer}\r\n\r\n"));
        for wrong in [
            "xyz\r\n",
            "\r\n",
            " 1\r\n",
            "1 1\r\n",
            "1\n",
            "1\r\r",
            "1;a\n",
            "-1\r\n",
            "0x1\r\n",
            "10000000000000000\r\n",
            "1\r\nab",
            "1\r\na\rb",
            "0\r\n\rx",
            "0\r\nx: y\rz",
            &extension,
            &trailer,
        ] {
            assert_eq!(decoded(wrong), Err(FailureKind::InvalidResponse), "{wrong:?}");
        }
        assert_eq!(decoded("fffffffffffffff\r\n"), Ok(None));
    }
}
