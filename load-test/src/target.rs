//! The server under test: a checked `http://` address and what it resolves to.

use std::net::SocketAddr;

use http::uri::InvalidUri;
use http::{HeaderValue, Uri};

use crate::error::{Error, ErrorKind, Result};

/// The port of `http` (RFC 9110 section 4.2.1).
const DEFAULT_PORT: u16 = 80;

/// A server address that was understood; request paths are appended to its own path.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    url: String,
    host: String,
    port: u16,
    host_header: HeaderValue,
    base: String,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let wrong =
            |what: &str| Error::text(format!("host {url:?} {what}; write it as http://127.0.0.1:8000"));
        let uri: Uri = url.trim().parse().map_err(|error| wrong("is not a URL").caused_by(error))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(wrong("uses https, which this generator does not speak")),
            Some(_) => return Err(wrong("has a scheme other than http")),
            None => return Err(wrong("has no scheme")),
        }
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("carries a user name, which a Host header must not"));
        }
        if uri.query().is_some() {
            return Err(wrong("carries a query, which belongs to a request's path"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(wrong("names no host"));
        }
        let port = match authority.as_str().get(authority.host().len()..).unwrap_or_default() {
            "" => DEFAULT_PORT,
            written => match written.trim_start_matches(':').parse() {
                Ok(0) | Err(_) => return Err(wrong("has a port that is not a number from 1 to 65535")),
                Ok(port) => port,
            },
        };
        let host_header = HeaderValue::from_str(authority.as_str())
            .map_err(|error| wrong("cannot stand in a Host header").caused_by(error))?;
        let base = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { url: url.trim().to_owned(), host, port, host_header, base })
    }

    /// The address as it was written.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    /// The request target (origin form, RFC 9112 section 3.2.1) of `path` on this server.
    pub(crate) fn request_target(&self, path: &str) -> Result<Uri> {
        let wrong = |what: &str| Error::plan(format!("request path {path:?} {what}"));
        if !path.starts_with('/') {
            return Err(wrong("does not start with a slash"));
        }
        if path.contains('#') {
            return Err(wrong("contains a fragment, which is never sent"));
        }
        let whole = format!("{}{path}", self.base);
        whole.parse().map_err(|error: InvalidUri| wrong("is not a URL path").caused_by(error))
    }

    pub(crate) async fn resolve(&self) -> Result<Vec<SocketAddr>> {
        let unknown = || {
            let message = format!("no address found for host {:?} of {}", self.host, self.url);
            Error::new(ErrorKind::UnknownHost, message)
        };
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let addresses: Vec<SocketAddr> = found.map_err(|error| unknown().caused_by(error))?.collect();
        if addresses.is_empty() { Err(unknown()) } else { Ok(addresses) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_understood_with_its_default_port_and_its_own_path() {
        let target = Target::parse("http://localhost").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("localhost", 80));
        let target = Target::parse("http://[::1]:8000/api/").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", 8000));
        assert_eq!(target.host_header(), "[::1]:8000");
        assert_eq!(target.request_target("/predict?a=1").unwrap(), "/api/predict?a=1");
    }

    #[test]
    fn an_address_that_cannot_be_tested_is_refused_with_a_reason() {
        let cases = [
            ("127.0.0.1:8000", "no scheme"),
            ("localhost", "no scheme"),
            ("https://example.org", "does not speak"),
            ("ftp://example.org", "other than http"),
            ("http://user:pass@host", "user name"),
            ("http://host/?q=1", "query"),
            ("http://host:0", "port"),
            ("http://host:99999", "port"),
            ("http://host:", "port"),
            ("", "not a URL"),
        ];
        for (url, reason) in cases {
            let message = Target::parse(url).unwrap_err().to_string();
            assert!(message.contains(reason), "{url}: {message}");
        }
    }

    #[test]
    fn a_path_that_is_no_path_is_refused() {
        let target = Target::parse("http://host").unwrap();
        for path in ["predict", "", "/a#b", "/a b"] {
            assert_eq!(target.request_target(path).unwrap_err().kind(), ErrorKind::InvalidPlan, "{path}");
        }
    }
}
