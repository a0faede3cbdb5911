//! Who asked: `X-Real-IP`, `X-Forwarded-For`, `X-Forwarded-Proto` and, if wanted, `Forwarded` (RFC 7239).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::header::{FORWARDED, HeaderName, HeaderValue};
use http::{HeaderMap, Request};

use super::ProxyRules;
use super::hops::{FORWARDED_FOR, FORWARDED_PROTO, Told, address, joined};
use crate::h1::Body;

const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// A client's address as it is told, made once per connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    ip: IpAddr,
    /// All that is told of a client of which nothing was told before, as lines of a head.
    lines: Arc<[u8]>,
}

impl Peer {
    pub(super) fn new(peer: SocketAddr, rules: &ProxyRules) -> Self {
        // An IPv4 client of an IPv6 socket is known by its IPv4 address everywhere else.
        let ip = peer.ip().to_canonical();
        let mut lines = format!("x-forwarded-for: {ip}\r\nx-real-ip: {ip}\r\nx-forwarded-proto: http\r\n");
        if rules.forwarded {
            lines += &format!("forwarded: {}\r\n", element(ip, "http"));
        }
        Self { ip, lines: lines.into_bytes().into() }
    }

    /// Tells in a request who asked, and how.
    pub(super) fn tell_in(&self, request: &mut Request<Body>, rules: &ProxyRules) {
        match request.body_mut().fields_mut() {
            // Had it come with a field of these, it would not be as it came.
            Some(fields) => fields.add(&self.lines),
            None => self.tell(request.headers_mut(), rules),
        }
    }

    /// Tells in the fields of a request who asked, and how.
    fn tell(&self, fields: &mut HeaderMap, rules: &ProxyRules) {
        match rules.trusted_hops {
            None => self.add(fields, rules),
            Some(proxies) => self.replace(fields, &Told::in_fields(fields, proxies.into()), rules),
        }
    }

    /// Adds the client behind whatever came.
    fn add(&self, fields: &mut HeaderMap, rules: &ProxyRules) {
        let ip = self.ip.to_string();
        fields.insert(FORWARDED_FOR, behind(joined(fields, &FORWARDED_FOR), &ip));
        fields.insert(REAL_IP, value(&ip));
        fields.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
        if rules.forwarded {
            let came = Some(joined(fields, &FORWARDED)).filter(|came| ends_outside_quotes(came));
            fields.insert(FORWARDED, behind(came.unwrap_or_default(), &element(self.ip, "http")));
        }
    }

    /// Says what is believed in place of what came.
    fn replace(&self, fields: &mut HeaderMap, told: &Told, rules: &ProxyRules) {
        let scheme = if told.by_tls { "https" } else { "http" };
        fields.insert(FORWARDED_FOR, behind(told.hops.join(", ").into_bytes(), &self.ip.to_string()));
        fields.insert(REAL_IP, value(&told.client().unwrap_or(self.ip).to_string()));
        fields.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
        // Nobody can tell which of its elements is whose.
        fields.remove(FORWARDED);
        if rules.forwarded {
            let scheme_at = |hop| if hop == 0 { scheme } else { "http" };
            let element_of = |(hop, entry): (usize, &String)| match address(entry) {
                Some(ip) => element(ip, scheme_at(hop)),
                None => format!("for=unknown;proto={}", scheme_at(hop)),
            };
            let before: Vec<String> = told.hops.iter().enumerate().map(element_of).collect();
            let own = element(self.ip, "http");
            fields.insert(FORWARDED, behind(before.join(", ").into_bytes(), &own));
        }
    }
}

/// An element of `Forwarded`, in which an IPv6 address stands in brackets and quotes (RFC 7239 section 6).
fn element(ip: IpAddr, scheme: &str) -> String {
    match ip {
        IpAddr::V4(ip) => format!("for={ip};proto={scheme}"),
        IpAddr::V6(ip) => format!("for=\"[{ip}]\";proto={scheme}"),
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).expect("addresses and elements are printable ASCII")
}

/// A list with one more entry behind it; that entry alone if the list cannot be passed on.
fn behind(mut list: Vec<u8>, entry: &str) -> HeaderValue {
    if !list.is_empty() {
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(entry.as_bytes());
    HeaderValue::try_from(list).unwrap_or_else(|_| value(entry))
}

/// Whether a list's last quoted string (RFC 9110 section 5.6.4) has an end: in an open one, what is added would be a part
/// of it.
fn ends_outside_quotes(list: &[u8]) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for byte in list {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    !quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a request says of its way after it was told who asked, field by field.
    fn told(came: &[(&'static str, &'static str)], peer: &str, rules: ProxyRules) -> [String; 4] {
        let mut fields = HeaderMap::new();
        for (name, value) in came {
            fields.append(*name, HeaderValue::from_static(value));
        }
        Peer::new(peer.parse().unwrap(), &rules).tell(&mut fields, &rules);
        [FORWARDED_FOR, REAL_IP, FORWARDED_PROTO, FORWARDED].map(|name| {
            let lines: Vec<_> = fields.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
            lines.join(" | ")
        })
    }

    const RULES: ProxyRules = ProxyRules { trusted_hops: None, forwarded: false, via: None };
    const PEER: &str = "10.0.0.1:9";

    #[test]
    fn the_replica_learns_who_asked() {
        assert_eq!(told(&[], PEER, RULES), ["10.0.0.1", "10.0.0.1", "http", ""]);
        assert_eq!(told(&[], "[::ffff:10.0.0.1]:9", RULES), ["10.0.0.1", "10.0.0.1", "http", ""]);
        let came = [
            ("x-forwarded-for", "1.1.1.1, 2.2.2.2"),
            ("x-forwarded-for", "3.3.3.3"),
            ("x-real-ip", "6.6.6.6"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=6.6.6.6"),
        ];
        let list = "1.1.1.1, 2.2.2.2, 3.3.3.3, ::1";
        assert_eq!(told(&came, "[::1]:9", RULES), [list, "::1", "http", "for=6.6.6.6"]);
    }

    #[test]
    fn proxies_before_this_one_are_believed_as_far_as_they_are_trusted() {
        let came = [
            ("x-forwarded-for", "6.6.6.6, 2001:db8::1, _hidden"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=6.6.6.6"),
        ];
        let trusting = |hops| ProxyRules { trusted_hops: Some(hops), forwarded: true, ..RULES };
        let own = "for=10.0.0.1;proto=http";
        assert_eq!(told(&came, PEER, trusting(0)), ["10.0.0.1", "10.0.0.1", "http", own]);
        assert_eq!(told(&came, PEER, trusting(4)), ["10.0.0.1", "10.0.0.1", "http", own]);
        let list = "2001:db8::1, _hidden, 10.0.0.1";
        let elements = r#"for="[2001:db8::1]";proto=https, for=unknown;proto=http, "#;
        assert_eq!(
            told(&came, PEER, trusting(2)),
            [list, "2001:db8::1", "https", &format!("{elements}{own}")]
        );
        let quiet = ProxyRules { forwarded: false, ..trusting(2) };
        assert_eq!(told(&came, PEER, quiet), [list, "2001:db8::1", "https", ""]);
    }

    #[test]
    fn forwarded_is_told_on_demand() {
        let rules = ProxyRules { forwarded: true, ..RULES };
        let (peer, own) = ("[2001:db8::1]:9", r#"for="[2001:db8::1]";proto=http"#);
        assert_eq!(told(&[], peer, rules)[3], own);
        let came = r#"for="6.6.6.6, \"", for=1.1.1.1"#;
        assert_eq!(told(&[("forwarded", came)], peer, rules)[3], format!("{came}, {own}"));
        for open in [r#"for=""#, r#"for="1.1.1.1\""#] {
            assert_eq!(told(&[("forwarded", open)], peer, rules)[3], own, "it would swallow what follows");
        }
    }

    #[test]
    fn lines_say_the_same_as_fields() {
        for forwarded in [false, true] {
            let rules = ProxyRules { forwarded, ..RULES };
            let peer = Peer::new(PEER.parse().unwrap(), &rules);
            let mut fields = HeaderMap::new();
            peer.tell(&mut fields, &rules);
            let lines = fields.iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()));
            assert_eq!(lines.collect::<String>().into_bytes(), *peer.lines);
        }
    }
}
