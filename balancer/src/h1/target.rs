//! What a request asks for: the forms of a target and the host that goes with it (RFC 9112 section 3.2).

use bytes::Bytes;
use http::header::HeaderValue;
use http::uri::{PathAndQuery, Uri};
use http::{Method, Version};

use super::fields::Facts;
use super::host;
use super::violation::Violation;

const BAD_TARGET: Violation = Violation::malformed("the request target is malformed (RFC 9112 section 3.2)");
const NO_HOST: Violation = Violation::malformed("there is no host (RFC 9112 section 3.2)");
const REPEATED_HOST: Violation = Violation::malformed("more than one host (RFC 9112 section 3.2)");
const BAD_HOST: Violation = Violation::malformed("the host is malformed (RFC 9112 section 3.2)");
const OTHER_HOST: Violation =
    Violation::malformed("the host differs from the target's (RFC 9112 section 3.2.2)");

/// Checks target and `Host` together and returns the target as it is passed on: in origin form, or `*`; and the
/// host that it names, where no field does.
pub(super) fn resolve(
    target: Bytes,
    method: &Method,
    version: Version,
    facts: &Facts<'_>,
) -> Result<(Uri, Option<HeaderValue>), Violation> {
    check_host(version, facts)?;
    match target.first() {
        Some(b'/') => Ok((origin(target)?, None)),
        Some(b'*') if target.len() == 1 && method == Method::OPTIONS => Ok((origin(target)?, None)),
        _ => absolute(&target, method, facts),
    }
}

fn check_host(version: Version, facts: &Facts<'_>) -> Result<(), Violation> {
    match facts.hosts {
        0 if version >= Version::HTTP_11 => Err(NO_HOST),
        0 => Ok(()),
        1 if facts.host.is_some_and(host::is_valid) => Ok(()),
        1 => Err(BAD_HOST),
        _ => Err(REPEATED_HOST),
    }
}

fn origin(target: Bytes) -> Result<Uri, Violation> {
    // A fragment is never sent, and the `http` crate would silently cut it off: what is forwarded would not be
    // what was asked.
    if target.iter().any(|byte| *byte == b'#' || !byte.is_ascii()) {
        return Err(BAD_TARGET);
    }
    PathAndQuery::from_maybe_shared(target).map(Uri::from).map_err(|_| BAD_TARGET)
}

/// Absolute form: its authority is the host, with which a `Host` must agree.
fn absolute(
    target: &Bytes,
    method: &Method,
    facts: &Facts<'_>,
) -> Result<(Uri, Option<HeaderValue>), Violation> {
    let scheme = ["http://", "https://"].into_iter().find(|scheme| {
        target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
    });
    let rest = target.slice(scheme.ok_or(BAD_TARGET)?.len()..);
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, path) = (rest.slice(..end), rest.slice(end..));
    if !host::is_valid(&authority) {
        return Err(BAD_HOST);
    }
    let host = match facts.host {
        Some(host) if host.eq_ignore_ascii_case(&authority) => None,
        Some(_) => return Err(OTHER_HOST),
        None => Some(HeaderValue::from_maybe_shared(authority).map_err(|_| BAD_HOST)?),
    };
    let path = match path.first() {
        Some(b'/') => path,
        // RFC 9112 section 3.2.4: OPTIONS for a whole server travels as an asterisk once its URI is taken apart.
        None if method == Method::OPTIONS => Bytes::from_static(b"*"),
        None => Bytes::from_static(b"/"),
        Some(_) => [b"/", &path[..]].concat().into(),
    };
    Ok((origin(path)?, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, target: &str, hosts: &[&'static str]) -> Result<(String, String), Violation> {
        let host = hosts.first().map(|host| host.as_bytes());
        let facts = Facts { host, hosts: hosts.len(), ..Facts::default() };
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let target = Bytes::copy_from_slice(target.as_bytes());
        let (uri, named) = resolve(target, &method, Version::HTTP_10, &facts)?;
        let host = named.as_ref().map(HeaderValue::as_bytes).or(host).unwrap();
        Ok((uri.to_string(), String::from_utf8(host.to_vec()).unwrap()))
    }

    #[test]
    fn every_form_becomes_what_an_origin_reads() {
        let cases = [
            ("GET", "/", "/"),
            ("GET", "//a/b", "//a/b"),
            ("GET", "/a?b=c&d", "/a?b=c&d"),
            ("OPTIONS", "*", "*"),
            ("GET", "http://a", "/"),
            ("GET", "HTTP://A/x?y", "/x?y"),
            ("GET", "http://a?y", "/?y"),
            ("OPTIONS", "http://a", "*"),
            ("OPTIONS", "http://a/", "/"),
        ];
        for (method, target, expected) in cases {
            assert_eq!(check(method, target, &["a"]).unwrap().0, expected, "{method} {target}");
        }
        assert_eq!(check("GET", "http://b:81/x", &[]).unwrap(), ("/x".to_owned(), "b:81".to_owned()));
    }

    #[test]
    fn other_targets_are_refused() {
        for target in [
            "a:80",
            "a",
            "*",
            "/a#b",
            "/\u{e9}",
            "ftp://a/",
            "http:///x",
            "http://u@a/",
            "http://a#b",
            "/a<b",
        ] {
            assert!(check("GET", target, &["a"]).is_err(), "{target}");
        }
        assert_eq!(check("GET", "http://b/", &["a"]), Err(OTHER_HOST));
        assert_eq!(check("GET", "http://a:80/", &["a"]), Err(OTHER_HOST));
    }
}
