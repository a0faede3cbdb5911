//! The fields of a head: checked once, with what the codec must know of them.

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::underscores::Underscores;
use super::verbatim::{Cuts, Verbatim};
use super::violation::Violation;

/// Room for the fields that the proxy rules add, so that the map does not grow a second time.
const ROOM_TO_ADD: usize = 6;

/// What the fields of a head say to the codec itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts<'a> {
    pub(crate) content_length: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) host: Option<&'a [u8]>,
    pub(crate) hosts: usize,
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) expects_continue: bool,
    pub(crate) pure: bool,
    /// Whether a field is among them that somebody between the two connections must look at.
    pub(crate) examine: bool,
    /// Whether fields are among them that are dropped for the underscore in their names.
    pub(super) drops: bool,
    pub(super) cuts: Cuts,
}

/// What is done with the fields of a head beyond checking them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Every field goes into a map, for services that read them.
    Map,
    /// They stay as they came where nothing between the two connections has to look at them.
    Verbatim,
}

/// The fields of a checked head.
#[derive(Clone, Debug)]
pub(crate) enum Fields {
    Map(HeaderMap),
    Verbatim(Verbatim),
}

impl Fields {
    /// Returns whether an answer declares its request a pure function.
    pub(crate) fn is_pure(&self) -> bool {
        match self {
            Self::Map(fields) => fields.get("martello-pure").is_some_and(|value| value == "?1"),
            Self::Verbatim(fields) => fields.is_pure(),
        }
    }

    /// Returns them as a map, for whoever has to look at them after all.
    pub(crate) fn into_map(self) -> HeaderMap {
        match self {
            Self::Map(fields) => fields,
            Self::Verbatim(fields) => fields.to_map(),
        }
    }
}

/// Checks parsed fields and gathers the facts, among them what of the lines goes no further.
pub(crate) fn check<'a>(
    head: &[u8],
    parsed: &[httparse::Header<'a>],
    underscores: Underscores,
) -> Result<Facts<'a>, Violation> {
    let mut facts = Facts { cuts: Cuts::new(head.len()), ..Facts::default() };
    // Nearly no head has one anywhere: one search finds that out for all the names.
    facts.drops = underscores == Underscores::Drop && memchr::memchr(b'_', head).is_some();
    for (index, field) in parsed.iter().enumerate() {
        let known = Known::of(field.name.as_bytes());
        let start = field.name.as_ptr() as usize - head.as_ptr() as usize;
        if index == 0 {
            facts.cuts.start_at(start);
        }
        // A line that is written in a way that must not be passed on: a blank before the colon.
        facts.examine |= head.get(start + field.name.len()) != Some(&b':');
        if known != Known::Other {
            facts.note(known, field.value)?;
        }
        if known.ends_here() || facts.drops(field.name) {
            let next =
                parsed.get(index + 1).map(|field| field.name.as_ptr() as usize - head.as_ptr() as usize);
            facts.examine |= facts.cuts.add(start, next).is_none();
        }
    }
    if facts.chunked && facts.content_length.is_some() {
        return Err(BOTH_FRAMINGS);
    }
    Ok(facts)
}

/// Keeps checked fields; both forms share `head`'s memory.
///
/// `Transfer-Encoding` is not kept: it belongs to the hop that this codec ends, and a body that is passed on is
/// framed anew.
pub(crate) fn keep(
    head: &Bytes,
    parsed: &[httparse::Header<'_>],
    facts: &Facts<'_>,
    how: Keep,
) -> Result<Fields, Violation> {
    if how == Keep::Verbatim && !facts.examine {
        return Ok(Fields::Verbatim(Verbatim::new(head, facts.cuts.clone(), facts.pure)));
    }
    let mut map = HeaderMap::with_capacity(parsed.len() + ROOM_TO_ADD);
    for field in parsed {
        if Known::of(field.name.as_bytes()) == Known::TransferEncoding || facts.drops(field.name) {
            continue;
        }
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| BAD_NAME)?;
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value)).map_err(|_| BAD_VALUE)?;
        map.append(name, value);
    }
    Ok(Fields::Map(map))
}

/// The fields that somebody in this crate has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Connection,
    ContentLength,
    Expect,
    Host,
    KeepAlive,
    Pure,
    TransferEncoding,
    /// What the rules of a proxy or of a retry look at; rare enough for the longer way.
    Examined,
    Other,
}

impl Known {
    /// Tells a name by its length first, which leaves at most two candidates and none for most names.
    fn of(name: &[u8]) -> Self {
        let examined = |is: bool| if is { Self::Examined } else { Self::Other };
        let either = |is: bool, known: Self| if is { known } else { Self::Other };
        match name.len() {
            2 => examined(is(name, b"te")),
            3 => examined(is(name, b"via")),
            4 => either(is(name, b"host"), Self::Host),
            // Every `Connection: close` names it.
            5 => examined(is(name, b"close")),
            6 => either(is(name, b"expect"), Self::Expect),
            7 => examined(is(name, b"upgrade") || is(name, b"trailer")),
            9 => examined(is(name, b"forwarded") || is(name, b"x-real-ip")),
            10 if is(name, b"connection") => Self::Connection,
            10 => either(is(name, b"keep-alive"), Self::KeepAlive),
            12 => examined(is(name, b"max-forwards")),
            13 => either(is(name, b"martello-pure"), Self::Pure),
            14 => either(is(name, b"content-length"), Self::ContentLength),
            15 => examined(is(name, b"x-forwarded-for")),
            16 => examined(is(name, b"proxy-connection")),
            17 if is(name, b"transfer-encoding") => Self::TransferEncoding,
            17 => examined(is(name, b"x-forwarded-proto")),
            22 => examined(is(name, b"martello-not-processed")),
            _ => Self::Other,
        }
    }

    /// Whether the codec says it anew for the next hop, or not at all.
    fn ends_here(self) -> bool {
        matches!(
            self,
            Self::Connection | Self::ContentLength | Self::Expect | Self::KeepAlive | Self::TransferEncoding
        )
    }
}

const BAD_NAME: Violation = Violation::malformed("a field name is not a token (RFC 9110 section 5.1)");
const BAD_VALUE: Violation =
    Violation::malformed("a field value has a control character (RFC 9110 section 5.5)");
const BOTH_FRAMINGS: Violation =
    Violation::malformed("both content-length and transfer-encoding (RFC 9112 section 6.3)");
const REPEATED_LENGTH: Violation =
    Violation::malformed("more than one content-length (RFC 9112 section 6.3)");
const BAD_LENGTH: Violation = Violation::malformed("content-length is not a number (RFC 9112 section 6.3)");
const REPEATED_CODING: Violation =
    Violation::malformed("more than one transfer-encoding (RFC 9112 section 6.1)");
const UNKNOWN_CODING: Violation = Violation::with_status(
    StatusCode::NOT_IMPLEMENTED,
    "a transfer coding other than one chunked (RFC 9112 section 6.1)",
);
const UNKNOWN_EXPECTATION: Violation = Violation::with_status(
    StatusCode::EXPECTATION_FAILED,
    "an expectation other than 100-continue (RFC 9110 section 10.1.1)",
);

impl<'a> Facts<'a> {
    /// Whether a field of this name goes no further than here.
    fn drops(&self, name: &str) -> bool {
        self.drops && name.contains('_')
    }

    fn note(&mut self, name: Known, value: &'a [u8]) -> Result<(), Violation> {
        match name {
            Known::ContentLength => self.note_length(value)?,
            Known::TransferEncoding => self.note_coding(value)?,
            Known::Expect => self.note_expectation(value)?,
            Known::Connection => self.note_options(value),
            Known::Host => {
                self.hosts += 1;
                self.host = Some(value);
            }
            Known::Pure => self.pure = value == b"?1",
            Known::Examined => self.examine = true,
            Known::KeepAlive | Known::Other => {}
        }
        Ok(())
    }

    // RFC 9112 section 6.3 lets a recipient fold identical repetitions into one. Whoever sends two is broken or
    // hostile, and which of them the next hop reads is not ours to bet on: refused, even when they agree.
    fn note_length(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.content_length.replace(decimal(value).ok_or(BAD_LENGTH)?).is_some() {
            return Err(REPEATED_LENGTH);
        }
        Ok(())
    }

    fn note_coding(&mut self, value: &[u8]) -> Result<(), Violation> {
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(UNKNOWN_CODING);
        }
        if std::mem::replace(&mut self.chunked, true) {
            return Err(REPEATED_CODING);
        }
        Ok(())
    }

    fn note_options(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            let close = option.eq_ignore_ascii_case(b"close");
            let keep_alive = option.eq_ignore_ascii_case(b"keep-alive");
            self.close |= close;
            self.keep_alive |= keep_alive;
            // Any other names a field that goes no further either.
            self.examine |= !close && !keep_alive && !option.is_empty();
        }
    }

    fn note_expectation(&mut self, value: &[u8]) -> Result<(), Violation> {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(UNKNOWN_EXPECTATION);
        }
        self.expects_continue = true;
        Ok(())
    }
}

/// Compares a token with one in lower case, all bytes at once: in a token, only letters (and `-`, which stays)
/// become one of these by that bit.
fn is<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    let Ok(name) = <&[u8; N]>::try_from(name) else { return false };
    name.iter().zip(lower).fold(0, |differs, (a, b)| differs | ((a | 0x20) ^ b)) == 0
}

/// Reads `1*DIGIT`: no sign, no blank, no list, nothing that does not fit.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The rule that httparse found broken.
pub(crate) fn violation_of(error: httparse::Error) -> Violation {
    use httparse::Error as Parse;
    match error {
        Parse::TooManyHeaders => TOO_MANY_FIELDS,
        Parse::HeaderName => Violation::malformed("a field name is not a token (RFC 9112 section 5.1)"),
        Parse::HeaderValue => BAD_VALUE,
        Parse::Token => Violation::malformed("a start line is malformed (RFC 9112 section 3)"),
        Parse::NewLine => Violation::malformed("a line does not end with CR LF (RFC 9112 section 2.2)"),
        Parse::Version => Violation::malformed("the HTTP version is malformed (RFC 9112 section 2.3)"),
        Parse::Status => Violation::malformed("the status line is malformed (RFC 9112 section 4)"),
    }
}

/// More fields than [`Limits::fields`](super::Limits::fields).
pub(crate) const TOO_MANY_FIELDS: Violation = Violation::with_status(
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    "too many fields in a head (RFC 6585 section 5)",
);

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(fields: &[(&'static str, &'static str)]) -> Result<Facts<'static>, Violation> {
        let parsed: Vec<_> =
            fields.iter().map(|(name, value)| httparse::Header { name, value: value.as_bytes() }).collect();
        check(b"", &parsed, Underscores::Drop).map(|facts| Facts {
            cuts: Cuts::default(),
            examine: false,
            ..facts
        })
    }

    #[test]
    fn a_length_is_digits_and_stands_once() {
        for (value, expected) in [("0", 0), ("5", 5), ("007", 7), ("18446744073709551615", u64::MAX)] {
            assert_eq!(facts(&[("content-length", value)]).unwrap().content_length, Some(expected));
        }
        for value in ["", "+5", "-1", "5,5", "5, 5", "0x5", "5 5", "18446744073709551616", "1e3"] {
            assert_eq!(facts(&[("content-length", value)]), Err(BAD_LENGTH), "{value}");
        }
        let twice = facts(&[("content-length", "5"), ("content-length", "5")]);
        assert_eq!(twice, Err(REPEATED_LENGTH), "even when they agree");
    }

    #[test]
    fn the_only_transfer_coding_is_one_chunked() {
        assert!(facts(&[("transfer-encoding", "Chunked")]).unwrap().chunked);
        for value in ["gzip", "identity", "gzip, chunked", "chunked, chunked", "chunked;q=1", "", "xchunked"]
        {
            assert_eq!(facts(&[("transfer-encoding", value)]), Err(UNKNOWN_CODING), "{value}");
        }
        let twice = facts(&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")]);
        assert_eq!(twice, Err(REPEATED_CODING));
    }

    #[test]
    fn connection_options_are_a_list_in_any_case() {
        let both = facts(&[("connection", "x-a , Keep-Alive"), ("connection", "CLOSE")]).unwrap();
        assert!(both.close && both.keep_alive);
        assert!(!facts(&[("connection", "closed")]).unwrap().close);
    }

    #[test]
    fn only_100_continue_may_be_expected() {
        assert!(facts(&[("expect", "100-Continue")]).unwrap().expects_continue);
        assert_eq!(facts(&[("expect", "200-ok")]).unwrap_err().status(), StatusCode::EXPECTATION_FAILED);
    }
}
