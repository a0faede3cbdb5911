//! Where a head ends.

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

use super::violation::Violation;

const BARE_LF: Violation = Violation::malformed("a line does not end with CR LF (RFC 9112 section 2.2)");

/// Finds the empty line that ends a head or a trailer section.
///
/// It remembers what it has looked at, so that a head that arrives one byte at a time costs time linear in its
/// length; and it insists on CR LF, because a recipient that takes a bare LF for a line's end and one that does
/// not see different messages.
#[derive(Debug, Default)]
pub(crate) struct HeadScan {
    seen: usize,
    line: usize,
    /// The length of the start line, once that is whole and the head is not.
    first_line: usize,
}

impl HeadScan {
    /// Returns the length of the head including its empty line, `None` if it is not yet whole.
    ///
    /// `buffer` must start with the same bytes as in the call before.
    pub(crate) fn end_of_head(&mut self, buffer: &[u8]) -> Result<Option<usize>, Violation> {
        if buffer.is_empty() {
            return Ok(None);
        }
        if self.seen == 0
            && let Some(end) = end_in_one_go(buffer)
        {
            (self.seen, self.line) = (end, end);
            return Ok(Some(end));
        }
        while let Some(found) = memchr(b'\n', &buffer[self.seen..]) {
            let newline = self.seen + found;
            let line = &buffer[self.line..newline];
            if line.last() != Some(&b'\r') {
                return Err(BARE_LF);
            }
            if self.line == 0 {
                self.first_line = newline + 1;
            }
            self.seen = newline + 1;
            self.line = newline + 1;
            if line.len() == 1 {
                return Ok(Some(newline + 1));
            }
        }
        self.seen = buffer.len();
        Ok(None)
    }

    /// Returns how much there is of the start line while the rest of the head is awaited; `buffer` is that of the last
    /// call.
    pub(crate) fn start_line(&self, buffer: &[u8]) -> usize {
        match self.line {
            0 => buffer.len(),
            _ => self.first_line,
        }
    }
}

/// Finds the end of a head that is whole and without fault, the usual case, in two passes over its bytes that need
/// no look at single lines.
fn end_in_one_go(buffer: &[u8]) -> Option<usize> {
    static EMPTY_LINE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));
    let head = &buffer[..EMPTY_LINE.find(buffer)? + 4];
    let pairs = head.iter().zip(&head[1..]);
    let bare = pairs.fold(false, |bare, (first, second)| bare | ((*second == b'\n') & (*first != b'\r')));
    (!bare && !head.starts_with(b"\n") && !head.starts_with(b"\r\n")).then_some(head.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_head_ends_with_an_empty_line() {
        let cases = [
            (&b"GET / HTTP/1.1\r\nhost: a\r\n\r\nrest"[..], Ok(Some(27))),
            (b"GET / HTTP/1.1\r\n\r\n", Ok(Some(18))),
            (b"\r\n", Ok(Some(2))),
            (b"GET / HTTP/1.1\r\nhost: a\r\n\r", Ok(None)),
            (b"", Ok(None)),
            (b"GET / HTTP/1.1\nhost: a\r\n\r\n", Err(BARE_LF)),
            (b"GET / HTTP/1.1\r\nhost: a\r\n\n", Err(BARE_LF)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(HeadScan::default().end_of_head(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_whole_head_is_past_its_first_line_whatever_follows_it() {
        let mut scan = HeadScan::default();
        let whole = [b"GET / HTTP/1.1\r\n\r\n", &[b'a'; 9_000][..]].concat();
        assert_eq!(scan.end_of_head(&whole), Ok(Some(18)));
        assert!(scan.start_line(&whole) <= 18);
    }

    #[test]
    fn a_start_line_is_as_long_as_it_is_however_it_came() {
        let line = b"GET / HTTP/1.1\r\n";
        let (mut scan, whole) = (HeadScan::default(), [&line[..], b"host: a"].concat());
        for cut in [3, 15, 20, whole.len()] {
            assert_eq!(scan.end_of_head(&whole[..cut]), Ok(None));
            assert_eq!(scan.start_line(&whole[..cut]), cut.min(line.len()));
        }
    }

    proptest! {
        #[test]
        fn what_is_found_does_not_depend_on_how_the_bytes_are_split(
            text in "[a\r\n]{0,40}(\r\n\r\n)?", cuts in prop::collection::vec(0_usize..48, 0..6),
        ) {
            let bytes = text.as_bytes();
            let whole = HeadScan::default().end_of_head(bytes);
            let mut scan = HeadScan::default();
            let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut < bytes.len()).collect();
            cuts.sort_unstable();
            cuts.push(bytes.len());
            let split = cuts.into_iter().map(|cut| scan.end_of_head(&bytes[..cut])).find(|r| *r != Ok(None));
            prop_assert_eq!(split.unwrap_or(Ok(None)), whole);
        }
    }
}
