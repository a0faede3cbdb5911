//! Fields that concern one hop and go no further (RFC 9110 section 7.6.1).

use http::HeaderMap;
use http::header::{CONNECTION, EXPECT, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Removes `Connection` with everything that it names, and the fields that never travel further even unnamed.
///
/// `TE: trailers` stays, since trailers are passed on. `Host` stays even when it is named: a request without it is
/// another request. `Trailer`, which announces what does travel, stays unless it is named.
pub(super) fn remove(fields: &mut HeaderMap) {
    if !fields.keys().any(is_hop_by_hop) {
        return;
    }
    let wants_trailers = accepts_trailers(fields);
    while let Some(named) = next_named(fields) {
        fields.remove(named);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, TE, TRANSFER_ENCODING, UPGRADE, EXPECT, CONNECTION] {
        fields.remove(name);
    }
    if wants_trailers {
        fields.insert(TE, HeaderValue::from_static("trailers"));
    }
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    *name == CONNECTION
        || *name == TE
        || *name == UPGRADE
        || *name == EXPECT
        || *name == TRANSFER_ENCODING
        || *name == KEEP_ALIVE
        || *name == PROXY_CONNECTION
}

/// A field that is there and that `Connection` names.
fn next_named(fields: &HeaderMap) -> Option<HeaderName> {
    let options =
        fields.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    options
        .filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok())
        .find(|name| *name != HOST && *name != CONNECTION && fields.contains_key(name))
}

fn accepts_trailers(fields: &HeaderMap) -> bool {
    let mut codings =
        fields.get_all(TE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &[(&'static str, &'static str)], expected: &[(&str, &str)]) {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_static(value));
        }
        remove(&mut map);
        let mut left: Vec<_> =
            map.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        left.sort_unstable();
        assert_eq!(left, expected, "{fields:?}");
    }

    #[test]
    fn what_concerns_one_hop_stays_there() {
        check(&[("host", "a"), ("x-a", "b")], &[("host", "a"), ("x-a", "b")]);
        let always = [
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("upgrade", "websocket"),
            ("expect", "100-continue"),
            ("te", "gzip"),
            ("connection", "close"),
        ];
        for field in always {
            check(&[field, ("x-a", "b")], &[("x-a", "b")]);
        }
    }

    #[test]
    fn connection_takes_what_it_names_with_it() {
        check(
            &[
                ("connection", "x-a, X-B"),
                ("connection", "x-c"),
                ("x-a", "1"),
                ("x-b", "2"),
                ("x-b", "3"),
                ("x-c", "4"),
                ("x-d", "5"),
            ],
            &[("x-d", "5")],
        );
        check(&[("connection", "host, connection, non sense"), ("host", "a")], &[("host", "a")]);
        check(&[("connection", "trailer"), ("trailer", "x-sum")], &[]);
    }

    #[test]
    fn trailers_may_be_wished_for_across_hops() {
        check(&[("te", "gzip;q=0.5, Trailers"), ("connection", "te")], &[("te", "trailers")]);
        check(&[("trailer", "x-sum")], &[("trailer", "x-sum")]);
    }
}
