//! Where a body ends: decided once, for both sides (RFC 9112 section 6.3).

use http::{StatusCode, Version};

use super::fields::Facts;
use super::violation::Violation;

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no body.
    Empty,
    /// It has this many bytes.
    Length(u64),
    /// It says so itself.
    Chunked,
    /// The sender closes the connection; a response's alone.
    UntilClose,
}

const CODING_IN_OLD_VERSION: Violation =
    Violation::malformed("transfer-encoding in an HTTP/1.0 message (RFC 9112 section 6.1)");

/// The framing of a request: without any declaration there is no body.
pub(crate) fn of_request(version: Version, facts: &Facts<'_>) -> Result<Framing, Violation> {
    Ok(declared(version, facts)?.unwrap_or(Framing::Empty))
}

/// The framing of a final response to a request, which was HEAD or not.
pub(crate) fn of_response(
    request: RequestMethod,
    status: StatusCode,
    version: Version,
    facts: &Facts<'_>,
) -> Result<Framing, Violation> {
    let declared = declared(version, facts)?;
    if request == RequestMethod::Head || has_no_content(status) {
        return Ok(Framing::Empty);
    }
    Ok(declared.unwrap_or(Framing::UntilClose))
}

/// What of a request decides about the framing of its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestMethod {
    Head,
    /// Whatever it is, it asks for another protocol: a 101 may answer it.
    Upgrade,
    Other,
}

impl RequestMethod {
    pub(crate) fn of(method: &http::Method) -> Self {
        if method == http::Method::HEAD { Self::Head } else { Self::Other }
    }
}

/// Returns whether responses of this status never have content (RFC 9112 section 6.3, first rule).
pub(crate) fn has_no_content(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}

fn declared(version: Version, facts: &Facts<'_>) -> Result<Option<Framing>, Violation> {
    match (facts.chunked, facts.content_length) {
        (true, _) if version < Version::HTTP_11 => Err(CODING_IN_OLD_VERSION),
        (true, _) => Ok(Some(Framing::Chunked)),
        (false, Some(0)) => Ok(Some(Framing::Empty)),
        (false, Some(length)) => Ok(Some(Framing::Length(length))),
        (false, None) => Ok(None),
    }
}

/// Returns whether the connection may carry another message after this one (RFC 9112 section 9.3).
pub(crate) fn keeps_alive(version: Version, facts: &Facts<'_>) -> bool {
    !facts.close && (version >= Version::HTTP_11 || facts.keep_alive)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Version = Version::HTTP_10;
    const NOW: Version = Version::HTTP_11;

    fn facts(content_length: Option<u64>, chunked: bool) -> Facts<'static> {
        Facts { content_length, chunked, ..Facts::default() }
    }

    #[test]
    fn a_request_without_declaration_has_no_body() {
        assert_eq!(of_request(NOW, &facts(None, false)), Ok(Framing::Empty));
        assert_eq!(of_request(NOW, &facts(Some(0), false)), Ok(Framing::Empty));
        assert_eq!(of_request(OLD, &facts(Some(5), false)), Ok(Framing::Length(5)));
        assert_eq!(of_request(NOW, &facts(None, true)), Ok(Framing::Chunked));
        assert_eq!(of_request(OLD, &facts(None, true)), Err(CODING_IN_OLD_VERSION));
    }

    #[test]
    fn a_response_without_declaration_ends_with_the_connection() {
        use RequestMethod::{Head, Other};
        let cases = [
            (Other, 200, facts(None, false), Framing::UntilClose),
            (Other, 200, facts(Some(5), false), Framing::Length(5)),
            (Other, 200, facts(None, true), Framing::Chunked),
            (Head, 200, facts(Some(5), false), Framing::Empty),
            (Other, 204, facts(None, false), Framing::Empty),
            (Other, 304, facts(Some(5), false), Framing::Empty),
            (Other, 100, facts(None, false), Framing::Empty),
        ];
        for (method, status, facts, expected) in cases {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(of_response(method, status, NOW, &facts), Ok(expected), "{method:?} {status}");
        }
        let old = of_response(Other, StatusCode::OK, OLD, &facts(None, true));
        assert_eq!(old, Err(CODING_IN_OLD_VERSION));
    }

    #[test]
    fn persistence_is_the_default_since_http_1_1() {
        let cases = [
            (NOW, false, false, true),
            (NOW, true, false, false),
            (OLD, false, false, false),
            (OLD, false, true, true),
            (OLD, true, true, false),
        ];
        for (version, close, keep_alive, expected) in cases {
            let facts = Facts { close, keep_alive, ..Facts::default() };
            assert_eq!(keeps_alive(version, &facts), expected, "{version:?} {facts:?}");
        }
    }
}
