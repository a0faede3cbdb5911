//! Who asked: `X-Real-IP`, `X-Forwarded-For` and `X-Forwarded-Proto`.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Request};

use crate::h1::Body;

const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What is done with the `X-Forwarded-For` that a request brings along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardedFor {
    /// The client's address is added to the list, as nginx's `$proxy_add_x_forwarded_for` does. A replica must
    /// believe no more of the list than the entries of proxies it knows.
    #[default]
    Append,
    /// The client's address is the whole list: right where clients come from the open network.
    Replace,
}

/// A client's address as a field's value, made once per connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    address: HeaderValue,
    /// All that is told of a client of which nothing was told before, as lines of a head.
    lines: Arc<[u8]>,
}

impl Peer {
    pub(super) fn new(peer: SocketAddr) -> Self {
        // An IPv4 client of an IPv6 socket is known by its IPv4 address everywhere else.
        let address = peer.ip().to_canonical().to_string();
        let lines =
            format!("x-forwarded-for: {address}\r\nx-real-ip: {address}\r\nx-forwarded-proto: http\r\n");
        let address = HeaderValue::try_from(address).expect("an address is digits, letters, dots and colons");
        Self { address, lines: lines.into_bytes().into() }
    }

    /// Tells in a request who asked, and how.
    pub(super) fn tell_in(&self, request: &mut Request<Body>, forwarded_for: ForwardedFor) {
        match request.body_mut().fields_mut() {
            // Had it come with a field of these, it would not be as it came.
            Some(fields) => fields.add(&self.lines),
            None => self.tell(request.headers_mut(), forwarded_for),
        }
    }

    /// Tells in the fields of a request who asked, and how.
    fn tell(&self, fields: &mut HeaderMap, forwarded_for: ForwardedFor) {
        let list = match forwarded_for {
            ForwardedFor::Append => self.appended(fields),
            ForwardedFor::Replace => None,
        };
        fields.insert(FORWARDED_FOR, list.unwrap_or_else(|| self.address.clone()));
        fields.insert(REAL_IP, self.address.clone());
        fields.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    }

    /// The list that came with the client's address behind it, if one came.
    fn appended(&self, fields: &HeaderMap) -> Option<HeaderValue> {
        let mut list = Vec::new();
        for value in fields.get_all(FORWARDED_FOR) {
            list.extend_from_slice(value.as_bytes());
            list.extend_from_slice(b", ");
        }
        if list.is_empty() {
            return None;
        }
        list.extend_from_slice(self.address.as_bytes());
        HeaderValue::try_from(list).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(came: &[&'static str], peer: &str, rule: ForwardedFor) -> (String, String) {
        let mut fields = HeaderMap::new();
        fields.insert(REAL_IP, HeaderValue::from_static("6.6.6.6"));
        for value in came {
            fields.append(FORWARDED_FOR, HeaderValue::from_static(value));
        }
        Peer::new(peer.parse().unwrap()).tell(&mut fields, rule);
        assert_eq!(fields.get_all(FORWARDED_FOR).iter().count(), 1);
        assert_eq!(fields[FORWARDED_PROTO], "http");
        let text = |name: HeaderName| fields[name].to_str().unwrap().to_owned();
        (text(FORWARDED_FOR), text(REAL_IP))
    }

    #[test]
    fn the_replica_learns_who_asked() {
        let cases = [
            (vec![], "10.0.0.1:9", ForwardedFor::Append, "10.0.0.1", "10.0.0.1"),
            (vec!["1.1.1.1"], "10.0.0.1:9", ForwardedFor::Append, "1.1.1.1, 10.0.0.1", "10.0.0.1"),
            (
                vec!["1.1.1.1, 2.2.2.2", "3.3.3.3"],
                "[::1]:9",
                ForwardedFor::Append,
                "1.1.1.1, 2.2.2.2, 3.3.3.3, ::1",
                "::1",
            ),
            (vec!["1.1.1.1"], "10.0.0.1:9", ForwardedFor::Replace, "10.0.0.1", "10.0.0.1"),
            (vec![], "[::ffff:10.0.0.1]:9", ForwardedFor::Append, "10.0.0.1", "10.0.0.1"),
        ];
        for (came, peer, rule, expected, real) in cases {
            assert_eq!(list(&came, peer, rule), (expected.to_owned(), real.to_owned()), "{came:?} {peer}");
        }
    }
}
