//! The fields of a head: checked once, with what the codec must know of them.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};

use super::violation::Violation;

/// Room for the fields that the proxy rules add, so that the map does not grow a second time.
const ROOM_TO_ADD: usize = 6;

/// What the fields of a head say to the codec itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) content_length: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) hosts: usize,
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) expects_continue: bool,
}

/// Moves parsed fields into a map whose values share `head`'s memory, and gathers the facts.
///
/// `Transfer-Encoding` does not get into the map: it belongs to the hop that this codec ends, and a body that is
/// passed on is framed anew.
pub(crate) fn collect(
    head: &Bytes,
    parsed: &[httparse::Header<'_>],
) -> Result<(HeaderMap, Facts), Violation> {
    let mut map = HeaderMap::with_capacity(parsed.len() + ROOM_TO_ADD);
    let mut facts = Facts::default();
    for field in parsed {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| BAD_NAME)?;
        facts.note(&name, field.value)?;
        if name == TRANSFER_ENCODING {
            continue;
        }
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value)).map_err(|_| BAD_VALUE)?;
        map.append(name, value);
    }
    if facts.chunked && facts.content_length.is_some() {
        return Err(BOTH_FRAMINGS);
    }
    Ok((map, facts))
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

impl Facts {
    fn note(&mut self, name: &HeaderName, value: &[u8]) -> Result<(), Violation> {
        if *name == CONTENT_LENGTH {
            self.note_length(value)
        } else if *name == TRANSFER_ENCODING {
            self.note_coding(value)
        } else if *name == CONNECTION {
            self.note_options(value);
            Ok(())
        } else if *name == EXPECT {
            self.note_expectation(value)
        } else {
            self.hosts += usize::from(*name == HOST);
            Ok(())
        }
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
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
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

    fn facts(fields: &[(&'static str, &'static str)]) -> Result<Facts, Violation> {
        let mut facts = Facts::default();
        for (name, value) in fields {
            facts.note(&HeaderName::from_static(name), value.as_bytes())?;
        }
        Ok(facts)
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
