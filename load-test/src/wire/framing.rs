//! What the fields of a head say about the body's end and the connection's (RFC 9112 sections 6.3 and 9.3).

use http::{Method, StatusCode};

use crate::failure::FailureKind;
use crate::wire::body::Body;

/// The versions that differ in their defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http10,
    Http11,
}

/// What was declared, field by field.
#[derive(Debug, Default)]
pub(super) struct Declared {
    length: Length,
    coding: Option<Coding>,
    close: bool,
    keep_alive: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Length {
    #[default]
    Absent,
    Of(u64),
    /// No number, or several that differ.
    Unclear,
}

/// The last transfer coding, which alone decides how the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Chunked,
    Other,
}

impl Declared {
    /// Takes a field into account, if it is one of those that matter.
    pub(super) fn note(&mut self, name: &str, value: &[u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("content-length") {
            elements(value).for_each(|element| self.length = self.length.and(element));
        } else if is("transfer-encoding") {
            let chunked =
                elements(value).next_back().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
            self.coding = Some(if chunked { Coding::Chunked } else { Coding::Other });
        } else if is("connection") {
            self.close |= elements(value).any(|option| option.eq_ignore_ascii_case(b"close"));
            self.keep_alive |= elements(value).any(|option| option.eq_ignore_ascii_case(b"keep-alive"));
        }
    }

    /// How the body of an answer to `method` ends.
    pub(super) fn body(
        &self,
        method: &Method,
        status: StatusCode,
        version: Version,
    ) -> Result<Body, FailureKind> {
        if has_no_body(method, status) {
            return Ok(Body::length(0));
        }
        match (self.coding, self.length) {
            // RFC 9112 section 6.1: the framing of such an answer is faulty.
            (Some(_), _) if version == Version::Http10 => Err(FailureKind::InvalidResponse),
            (Some(Coding::Chunked), _) => Ok(Body::chunked()),
            (Some(Coding::Other), _) | (None, Length::Absent) => Ok(Body::until_close()),
            (None, Length::Of(length)) => Ok(Body::length(length)),
            (None, Length::Unclear) => Err(FailureKind::InvalidResponse),
        }
    }

    /// Whether the connection can serve another request after this answer.
    pub(super) fn keeps_alive(&self, status: StatusCode, version: Version) -> bool {
        let switches = status == StatusCode::SWITCHING_PROTOCOLS;
        !self.close && !switches && (version == Version::Http11 || self.keep_alive)
    }
}

impl Length {
    fn and(self, element: &[u8]) -> Self {
        match (self, decimal(element)) {
            (Self::Absent, Some(length)) => Self::Of(length),
            (Self::Of(first), Some(length)) if first == length => self,
            _ => Self::Unclear,
        }
    }
}

fn has_no_body(method: &Method, status: StatusCode) -> bool {
    method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The elements of a list; an empty value has one, which is empty.
fn elements(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Digits alone: a sign, as `str::parse` allows it, is no part of a length.
fn decimal(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Version = Version::Http11;
    const OLD: Version = Version::Http10;

    fn declared(fields: &[(&str, &str)]) -> Declared {
        let mut declared = Declared::default();
        fields.iter().for_each(|(name, value)| declared.note(name, value.as_bytes()));
        declared
    }

    #[test]
    fn a_body_ends_as_the_fields_say() {
        let check = |fields: &[(&str, &str)], version, expected| {
            let body = declared(fields).body(&Method::GET, StatusCode::OK, version);
            assert_eq!(body, expected, "{fields:?}");
        };
        let invalid = || Err(FailureKind::InvalidResponse);
        check(&[], NOW, Ok(Body::until_close()));
        check(&[("Content-Length", "5")], NOW, Ok(Body::length(5)));
        check(&[("content-length", "5, 5"), ("content-length", "5")], NOW, Ok(Body::length(5)));
        for wrong in ["5, 6", "", "5,", "+5", "-5", "0x5", "99999999999999999999999"] {
            check(&[("content-length", wrong)], NOW, invalid());
        }
        check(&[("transfer-encoding", "gzip, Chunked"), ("content-length", "x")], NOW, Ok(Body::chunked()));
        check(
            &[("transfer-encoding", "chunked"), ("transfer-encoding", "gzip")],
            NOW,
            Ok(Body::until_close()),
        );
        check(&[("transfer-encoding", "chunked")], OLD, invalid());
    }

    #[test]
    fn some_answers_have_no_body_whatever_their_fields_say() {
        let fields = declared(&[("content-length", "x"), ("transfer-encoding", "chunked")]);
        for (method, status) in [(Method::HEAD, 200), (Method::GET, 204), (Method::GET, 304)] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(fields.body(&method, status, OLD), Ok(Body::length(0)), "{method} {status}");
        }
    }

    #[test]
    fn a_connection_is_kept_by_default_since_http_1_1_and_closed_if_anybody_asks() {
        let check = |fields: &[(&str, &str)], version, expected| {
            let kept = declared(fields).keeps_alive(StatusCode::OK, version);
            assert_eq!(kept, expected, "{fields:?} {version:?}");
        };
        check(&[], NOW, true);
        check(&[], OLD, false);
        check(&[("connection", "x, Keep-Alive")], OLD, true);
        check(&[("connection", "close"), ("connection", "keep-alive")], OLD, false);
        check(&[("connection", "x, Close"), ("connection", "keep-alive")], NOW, false);
        let switched = StatusCode::SWITCHING_PROTOCOLS;
        assert!(!declared(&[]).keeps_alive(switched, NOW));
    }
}
