//! The bytes of a file: not too many, and with an end that a parser of CSV can be seen to reach.

use std::io::{self, Read};

use csv::StringRecord;

/// A last line of our own. The parser takes the end of the file for the end of a quoted cell; with this line it either
/// comes out as a row, or within the cell whose quote was never closed. No text has this one by chance.
const END: &str = "\u{1}martello: end of file\u{1}";

/// The file's last line may lack its end.
const LAST_LINE: &str = "\n\u{1}martello: end of file\u{1}\n";

/// Reads a file, fails instead of reading more than `left` bytes, so that one endless line cannot fill the memory, and
/// appends [`END`].
pub(super) struct Bounded<R> {
    inner: R,
    left: u64,
    end: Option<&'static [u8]>,
}

impl<R> Bounded<R> {
    pub(super) fn new(inner: R, bytes: u64) -> Self {
        Self { inner, left: bytes, end: None }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(end) = &mut self.end {
            return end.read(buffer);
        }
        let n = self.inner.read(buffer)?;
        match self.left.checked_sub(n as u64) {
            Some(left) => self.left = left,
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        }
        if n == 0 && !buffer.is_empty() {
            return self.end.insert(LAST_LINE.as_bytes()).read(buffer);
        }
        Ok(n)
    }
}

/// Where a row stands towards the end of the file.
pub(super) enum Ended {
    /// It is a row of the file.
    NotYet,
    /// There are no more rows.
    Here,
    /// A quote was still open in it when the file ended.
    InQuotes,
}

pub(super) fn ended(record: &StringRecord) -> Ended {
    match record.get(record.len().wrapping_sub(1)) {
        None => Ended::Here,
        Some(END) if record.len() == 1 => Ended::Here,
        Some(last) if last.ends_with(END) => Ended::InQuotes,
        Some(_) => Ended::NotYet,
    }
}
