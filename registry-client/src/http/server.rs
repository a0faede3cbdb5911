//! Where a server is: scheme, host and port, and the path that a reverse proxy may have put before everything.

use std::fmt;
use std::str::FromStr;

use http::uri::{Authority, Scheme};

use super::{Credentials, Target};
use crate::config::redact;
use crate::{Error, Result};

/// The base of every URI of one server; never holds credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    scheme: Scheme,
    authority: Authority,
    prefix: String,
}

impl Server {
    /// Splits a tracking URI into the server and the credentials that were written into it.
    pub(crate) fn parse(uri: &str) -> Result<(Self, Option<Credentials>)> {
        let bad = |why: &str| Error::invalid(format!("invalid server uri {:?}: {why}", redact(uri)));
        let (scheme, rest) = match uri.split_once("://") {
            Some(("http", rest)) => (Scheme::HTTP, rest),
            Some(("https", rest)) => (Scheme::HTTPS, rest),
            _ => return Err(bad("expected http://host:port or https://host:port")),
        };
        if rest.contains(['?', '#']) {
            return Err(bad("it has a query or a fragment, which no server base has"));
        }
        let (authority, prefix) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (userinfo, host) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority),
        };
        let authority =
            Authority::from_str(host).map_err(|e| bad("the host cannot be understood").with_source(e))?;
        let credentials = userinfo.map(Credentials::from_userinfo).transpose()?;
        Ok((Self { scheme, authority, prefix: prefix.trim_end_matches('/').to_owned() }, credentials))
    }

    /// Returns the server with this `host:port` that speaks like this one.
    pub(crate) fn elsewhere(&self, authority: &str) -> Result<Self> {
        let authority = Authority::from_str(authority)
            .map_err(|e| Error::invalid(format!("invalid artifact server {authority:?}")).with_source(e))?;
        Ok(Self { scheme: self.scheme.clone(), authority, prefix: String::new() })
    }

    /// Splits an absolute URI, such as a presigned one, into the server and the target; the error does not repeat it.
    pub(crate) fn of(uri: &str) -> Result<(Self, Target)> {
        let bad = || Error::invalid("a server named a storage that no http or https uri leads to");
        let uri: http::Uri = uri.parse().map_err(|_| bad())?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else { return Err(bad()) };
        if (*scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) || authority.as_str().contains('@') {
            return Err(bad());
        }
        let target = uri.path_and_query().map_or("/", |it| it.as_str());
        let server = Self { scheme: scheme.clone(), authority: authority.clone(), prefix: String::new() };
        Ok((server, Target::new(target)))
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Returns whether that `host:port` is this server.
    pub(crate) fn is_at(&self, authority: &str) -> bool {
        self.authority.as_str().eq_ignore_ascii_case(authority)
    }

    /// Returns the URI that everything begins with.
    pub(crate) fn base(&self) -> Result<http::Uri> {
        self.uri(&Target::new("/"))
    }

    /// Returns the whole URI of a target.
    pub(crate) fn uri(&self, target: &Target) -> Result<http::Uri> {
        let text = format!("{}://{}{}{}", self.scheme, self.authority, self.prefix, target.as_str());
        text.parse()
            .map_err(|e| Error::invalid(format!("{} makes no uri", target.path_only())).with_source(e))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stays_and_credentials_leave_the_uri() {
        let (server, credentials) = Server::parse("https://ann:s%40cret@host:8443/mlflow/").unwrap();
        let uri = server.uri(&Target::new("/api/x").query("a", "b c")).unwrap();
        assert_eq!(uri, "https://host:8443/mlflow/api/x?a=b%20c");
        assert!(credentials.is_some());
        assert!(!format!("{server} {server:?} {credentials:?}").contains("cret"));
    }

    #[test]
    fn a_presigned_uri_is_taken_as_it_is_and_never_repeated() {
        let signed = "https://b.s3.eu:9000/a%20b/c+d?X-Amz-Signature=s3cret&partNumber=1";
        let (server, target) = Server::of(signed).unwrap();
        assert_eq!(server.uri(&target).unwrap(), signed);
        assert!(!format!("{server:?} {target:?}").contains("s3cret"));
        for uri in ["ftp://h/x?s3cret", "/x?s3cret", "http://u:s3cret@h/x", "s3cret", "file:///s3cret"] {
            let error = Server::of(uri).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[test]
    fn what_is_no_server_is_refused_without_its_secrets() {
        for uri in ["ftp://a:secret@h", "http://", "http://a:secret@", "http://a:secret@h?x=y", "host:5000"] {
            let error = Server::parse(uri).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }
}
