//! The trace that a request belongs to, by W3C Trace Context (<https://www.w3.org/TR/trace-context/>).

use std::fmt;

use http::{HeaderMap, HeaderName};

/// The header that carries it.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What `traceparent` says: which trace, which span of it asked, and whether the caller records it.
///
/// ```
/// use martello_serving::layers::edge::TraceParent;
///
/// let parent: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
/// assert_eq!(parent.trace().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert!(parent.is_sampled());
/// assert!("00-00000000000000000000000000000000-00f067aa0ba902b7-01".parse::<TraceParent>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace: u128,
    span: u64,
    flags: u8,
}

/// The id of a trace, 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(u128);

/// A `traceparent` that is none; the specification wants it ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTraceParent;

impl TraceParent {
    /// Reads the header, unless it is absent, there twice or invalid.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        value.to_str().ok()?.parse().ok()
    }

    /// Returns the trace.
    #[must_use]
    pub fn trace(&self) -> TraceId {
        TraceId(self.trace)
    }

    /// Returns the caller's span.
    #[must_use]
    pub fn span(&self) -> u64 {
        self.span
    }

    /// Returns true if the caller records the trace.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }
}

impl std::str::FromStr for TraceParent {
    type Err = InvalidTraceParent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let mut parts = text.splitn(5, '-');
        let (version, trace) = (hex(parts.next(), 2)?, hex(parts.next(), 32)?);
        let (span, flags) = (hex(parts.next(), 16)?, hex(parts.next(), 2)?);
        // Version 00 ends here, a later one may go on; ff is forbidden, and an id of zeros means none.
        let more = parts.next().is_some();
        if version == 0xff || (version == 0 && more) || trace == 0 || span == 0 {
            return Err(InvalidTraceParent);
        }
        let span = u64::try_from(span).map_err(|_| InvalidTraceParent)?;
        Ok(Self { trace, span, flags: u8::try_from(flags).map_err(|_| InvalidTraceParent)? })
    }
}

/// Reads exactly that many digits, in lower case as the specification wants them.
fn hex(part: Option<&str>, digits: usize) -> Result<u128, InvalidTraceParent> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let part = part.filter(|part| part.len() == digits && part.bytes().all(is_digit));
    u128::from_str_radix(part.ok_or(InvalidTraceParent)?, 16).map_err(|_| InvalidTraceParent)
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for InvalidTraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a traceparent of W3C Trace Context")
    }
}

impl std::error::Error for InvalidTraceParent {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_specification_forbids_is_ignored() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let check = |text: String, valid| assert_eq!(text.parse::<TraceParent>().is_ok(), valid, "{text}");
        check(format!("00-{trace}-{span}-00"), true);
        check(format!("cc-{trace}-{span}-01-what-comes-later"), true);
        for text in [
            String::new(),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-01-more"),
            format!("ff-{trace}-{span}-01"),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{trace}-0000000000000000-01"),
            format!("00-{trace}-{span}-0x"),
            format!("00-+{}-{span}-01", &trace[1..]),
            format!("0-{trace}-{span}-01"),
        ] {
            check(text, false);
        }
    }
}
