//! The fields of a head as they came, for a message in which nothing between two connections looks at them.
//!
//! Taking a head apart into a map and putting it together again was more than half of what the balancer itself did
//! for a request (17,000 of 31,000 instructions). Nearly all messages need none of it: their fields are checked
//! where they lie, what concerns this hop alone is cut out, and the rest is copied in one piece. A head with a field
//! that a rule of the proxy or of a retry has to read takes the way through the map.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::framing::Framing;
use super::limits::Limits;
use super::numbers::content_length;

/// The most lines that are cut out; a head with more of them takes the way through the map. Four: a
/// `Content-Length` or `Transfer-Encoding`, a `Connection`, a `Keep-Alive` and an `Expect`.
const MOST_CUTS: usize = 4;

/// A head's field lines less those that end at this hop, and what the proxy adds; in a head that came before, also the
/// `Content-Length` that most likely goes with them.
///
/// Clones share it: a request is kept for another attempt at the price of a counter.
#[derive(Clone, Debug)]
pub(crate) struct Verbatim {
    lines: Arc<Lines>,
    added: Option<Arc<[u8]>>,
}

#[derive(Debug)]
struct Lines {
    /// The whole head, or a copy of its lines.
    head: Bytes,
    cuts: Cuts,
    pure: bool,
    /// What the last of the lines says of the body's length, if it is there.
    length: Option<Length>,
}

/// A `Content-Length` behind the other lines.
#[derive(Clone, Copy, Debug)]
struct Length {
    bytes: u64,
    /// Where its line starts.
    start: usize,
}

/// Which parts of a head go no further.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cuts {
    start: u32,
    end: u32,
    parts: [(u32, u32); MOST_CUTS],
    count: u8,
}

impl Cuts {
    /// There is nothing to pass on yet in a head of this length, which ends with an empty line.
    pub(super) fn new(length: usize) -> Self {
        let end = length.saturating_sub(2) as u32;
        Self { start: end, end, ..Self::default() }
    }

    /// The first line starts here.
    pub(super) fn start_at(&mut self, start: usize) {
        self.start = start as u32;
    }

    /// Cuts one more part out, up to the next line if there is one; nothing if there is no room for it.
    pub(super) fn add(&mut self, from: usize, next: Option<usize>) -> Option<()> {
        let to = next.map_or(self.end, |next| next as u32);
        *self.parts.get_mut(usize::from(self.count))? = (from as u32, to);
        self.count += 1;
        Some(())
    }
}

impl Verbatim {
    pub(super) fn new(head: &Bytes, cuts: Cuts, pure: bool) -> Self {
        Self { lines: Arc::new(Lines { head: head.clone(), cuts, pure, length: None }), added: None }
    }

    /// Copies the lines into one piece, for fields that are written again and again, most likely with the same framing.
    pub(super) fn join(&mut self, framing: Framing) {
        let mut joined = Vec::with_capacity(self.lines.head.len());
        self.write(&mut joined, Framing::Empty);
        let start = joined.len();
        let length = match framing {
            Framing::Length(bytes) => Some(Length { bytes, start }),
            Framing::Empty | Framing::Chunked | Framing::UntilClose => None,
        };
        if let Some(Length { bytes, .. }) = length {
            content_length(&mut joined, bytes);
        }
        let cuts = Cuts { start: 0, end: joined.len() as u32, ..Cuts::default() };
        self.lines =
            Arc::new(Lines { head: joined.into_boxed_slice().into(), cuts, pure: self.lines.pure, length });
        self.added = None;
    }

    /// Returns whether an answer declares its request a pure function.
    pub(crate) fn is_pure(&self) -> bool {
        self.lines.pure
    }

    /// Adds whole lines behind the others.
    pub(crate) fn add(&mut self, lines: &Arc<[u8]>) {
        self.added = Some(Arc::clone(lines));
    }

    /// Writes the lines; returns whether that of the framing was among them.
    pub(super) fn write(&self, out: &mut Vec<u8>, framing: Framing) -> bool {
        let Lines { head, cuts, length, .. } = &*self.lines;
        let is_framed = length.is_some_and(|length| framing == Framing::Length(length.bytes));
        let end = match length {
            Some(length) if !is_framed => length.start,
            _ => cuts.end as usize,
        };
        let mut from = cuts.start as usize;
        for (start, end) in &cuts.parts[..usize::from(cuts.count)] {
            out.extend_from_slice(&head[from..*start as usize]);
            from = *end as usize;
        }
        out.extend_from_slice(&head[from..end]);
        if let Some(added) = &self.added {
            out.extend_from_slice(added);
        }
        is_framed
    }

    /// Returns the lines as a map, for whoever has to look at them after all.
    pub(crate) fn to_map(&self) -> HeaderMap {
        let mut lines = Vec::new();
        self.write(&mut lines, Framing::Empty);
        lines.extend_from_slice(b"\r\n");
        let lines = Bytes::from(lines);
        let mut parsed = [httparse::EMPTY_HEADER; Limits::MAX_FIELDS + 8];
        let mut map = HeaderMap::new();
        if let Ok(httparse::Status::Complete((_, fields))) = httparse::parse_headers(&lines, &mut parsed) {
            for field in fields {
                let name = HeaderName::from_bytes(field.name.as_bytes());
                let value = HeaderValue::from_maybe_shared(lines.slice_ref(field.value));
                if let (Ok(name), Ok(value)) = (name, value) {
                    map.append(name, value);
                }
            }
        }
        map
    }
}
