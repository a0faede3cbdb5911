//! What a request says of the way that it has come, and how much of that is believed.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What the proxies before this one told of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Whom each of them was asked by: the first by the client, the others by each other.
    pub(super) hops: Vec<String>,
    /// Whether the client asked by `https`.
    pub(super) by_tls: bool,
}

impl Told {
    /// Reads the fields of a request that has come through this many proxies. Each of them has added one entry to the end
    /// of the list, so what stands before those is the client's own invention; where the list is shorter, the request has
    /// come another way, and nothing that it says is believed.
    pub(super) fn in_fields(fields: &HeaderMap, proxies: usize) -> Self {
        let list = joined(fields, &FORWARDED_FOR);
        let entries =
            list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|entry| !entry.is_empty());
        let mut hops: Vec<String> =
            entries.map(|entry| String::from_utf8_lossy(entry).into_owned()).collect();
        match hops.len().checked_sub(proxies) {
            Some(invented) if proxies > 0 => drop(hops.drain(..invented)),
            _ => return Self::default(),
        }
        // Were there several, the client's own would come first.
        let schemes = joined(fields, &FORWARDED_PROTO);
        let scheme = schemes.rsplit(|byte| *byte == b',').next().map(<[u8]>::trim_ascii);
        Self { hops, by_tls: scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"https")) }
    }

    /// Returns who asked the first of them, if it says so.
    pub(super) fn client(&self) -> Option<IpAddr> {
        address(self.hops.first()?)
    }
}

/// Returns who asked: as the trusted proxies tell, if there are any and they did; otherwise who has connected.
pub(crate) fn client(fields: &HeaderMap, trusted_hops: Option<u8>, peer: IpAddr) -> IpAddr {
    let told = trusted_hops.and_then(|proxies| Told::in_fields(fields, proxies.into()).client());
    told.unwrap_or(peer)
}

/// The values of all lines of a field as one list.
pub(super) fn joined(fields: &HeaderMap, name: &HeaderName) -> Vec<u8> {
    let values: Vec<&[u8]> = fields.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    values.join(&b", "[..])
}

/// An address with a port or without, and IPv6 in brackets or not. Names that stand for a node (`unknown`, `_hidden`) are
/// none.
pub(super) fn address(entry: &str) -> Option<IpAddr> {
    let in_brackets = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    entry.parse().ok().or_else(with_port).or_else(in_brackets).map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        came: &[(&'static str, &'static str)],
        proxies: usize,
        hops: &[&str],
        client: &str,
        by_tls: bool,
    ) {
        let mut fields = HeaderMap::new();
        for (name, value) in came {
            fields.append(*name, HeaderValue::from_static(value));
        }
        let told = Told::in_fields(&fields, proxies);
        assert_eq!(
            (&told.hops[..], told.by_tls),
            (&hops.iter().map(|hop| (*hop).to_owned()).collect::<Vec<_>>()[..], by_tls),
            "{came:?} {proxies}"
        );
        assert_eq!(told.client(), client.parse().ok(), "{came:?} {proxies}");
    }

    #[test]
    fn the_last_entries_are_those_of_the_trusted_and_the_rest_is_invented() {
        let list = ("x-forwarded-for", "6.6.6.6, 1.1.1.1, 2.2.2.2");
        let proto = ("x-forwarded-proto", "HTTPS");
        check(&[list, proto], 0, &[], "", false);
        check(&[list, proto], 1, &["2.2.2.2"], "2.2.2.2", true);
        check(&[list, proto], 2, &["1.1.1.1", "2.2.2.2"], "1.1.1.1", true);
        check(
            &[list, ("x-forwarded-proto", "gopher")],
            3,
            &["6.6.6.6", "1.1.1.1", "2.2.2.2"],
            "6.6.6.6",
            false,
        );
        check(&[list, proto], 4, &[], "", false);
        check(&[proto], 1, &[], "", false);
        let added = [list, ("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")];
        check(&added, 1, &["2.2.2.2"], "2.2.2.2", false);
        let lines = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", ", 1.1.1.1,,unknown ,")];
        check(&lines, 2, &["1.1.1.1", "unknown"], "1.1.1.1", false);
        check(&lines, 1, &["unknown"], "", false);
    }

    #[test]
    fn addresses_come_in_many_forms() {
        for (entry, expected) in [
            ("1.2.3.4", "1.2.3.4"),
            ("1.2.3.4:80", "1.2.3.4"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("[::1]:80", "::1"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
        ] {
            assert_eq!(address(entry), expected.parse().ok(), "{entry}");
        }
        for entry in ["", "unknown", "_a", "1.2.3", "[::1", "1.2.3.4:99999", "\u{e9}"] {
            assert_eq!(address(entry), None, "{entry}");
        }
    }

    #[test]
    fn the_client_is_who_has_connected_unless_somebody_trusted_says_otherwise() {
        let fields = HeaderMap::from_iter([(FORWARDED_FOR, HeaderValue::from_static("6.6.6.6, 1.1.1.1"))]);
        let peer: IpAddr = "10.0.0.1".parse().unwrap();
        for (hops, expected) in
            [(None, "10.0.0.1"), (Some(0), "10.0.0.1"), (Some(1), "1.1.1.1"), (Some(3), "10.0.0.1")]
        {
            assert_eq!(client(&fields, hops, peer).to_string(), expected, "{hops:?}");
        }
    }
}
