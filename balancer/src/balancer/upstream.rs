//! Where replicas are, as a user writes it.

use std::{fmt, net::SocketAddr, str::FromStr};

use crate::{Error, ErrorKind};

/// Where replicas are: an address, a name behind which there may be any number of them, or the name of a service that
/// has SRV records.
///
/// ```
/// use martello_balancer::Upstream;
///
/// assert!(matches!("127.0.0.1:9001".parse()?, Upstream::Address(_)));
/// assert!(matches!("http://replica:8000".parse()?, Upstream::Name { port: 8000, .. }));
/// assert!("replica".parse::<Upstream>().is_err());
/// # Ok::<(), martello_balancer::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Upstream {
    /// One replica.
    Address(SocketAddr),
    /// As many replicas as the name has addresses; it is looked up again and again.
    Name {
        /// The name.
        host: String,
        /// The port that all of them listen on.
        port: u16,
    },
    /// As many replicas as the name has SRV records (RFC 2782), each with its own port and weight.
    Service {
        /// The name, such as `_http._tcp.replica`.
        name: String,
    },
}

impl FromStr for Upstream {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let authority = text.strip_prefix("http://").unwrap_or(text);
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if let Ok(address) = authority.parse::<SocketAddr>() {
            return Ok(Self::Address(address));
        }
        if authority.starts_with('_') && authority.contains("._tcp.") && is_host(authority) {
            return Ok(Self::Service { name: authority.to_owned() });
        }
        let (host, port) = authority.rsplit_once(':').ok_or_else(|| unusable(text, "has no port"))?;
        let port = port.parse().ok().filter(|port| *port != 0);
        let port = port.ok_or_else(|| unusable(text, "has no port from 1 to 65535"))?;
        if !is_host(host) {
            return Err(unusable(text, "has no valid host name"));
        }
        Ok(Self::Name { host: host.to_owned(), port })
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Service { name } => f.write_str(name),
        }
    }
}

/// Letters, digits, hyphens, dots, and the underscores that container names have; 253 bytes at most (RFC
/// 1035, section 2.3.4).
fn is_host(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=253).contains(&host.len()) && host.bytes().all(allowed)
}

fn unusable(text: &str, why: &str) -> Error {
    let shown: String = text.chars().take(100).collect();
    let why = format!("{shown:?} {why}: write it as 127.0.0.1:9001, [::1]:9001 or replica:8000");
    Error::new(ErrorKind::Local, "an upstream cannot be used").because(why)
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn addresses_and_names_are_told_apart() {
        for (text, expected) in [
            ("127.0.0.1:9001", "127.0.0.1:9001"),
            ("[::1]:9001", "[::1]:9001"),
            ("http://127.0.0.1:9001/", "127.0.0.1:9001"),
            ("replica:8000", "replica:8000"),
            ("_http._tcp.replica.default.svc", "_http._tcp.replica.default.svc"),
            ("http://my_app-1.default.svc:80", "my_app-1.default.svc:80"),
        ] {
            let upstream: Upstream = text.parse().unwrap();
            assert_eq!(upstream.to_string(), expected);
        }
    }

    #[test]
    fn what_cannot_be_reached_is_refused_with_the_reason() {
        for text in
            ["", "replica", "replica:", "replica:0", "replica:70000", ":80", "a b:80", "::1", "https://a:443"]
        {
            let error = text.parse::<Upstream>().unwrap_err();
            let source = error.source().map(ToString::to_string).unwrap_or_default();
            assert!(source.contains("replica:8000"), "{text}: {source}");
        }
    }
}
