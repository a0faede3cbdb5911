//! Who asks: the `Authorization` header, kept out of everything that can be printed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::{Error, Result};

/// What a server is told about who asks (RFC 7617, RFC 6750). `Debug` shows which kind it is and no more.
///
/// ```
/// use martello_registry_client::rest::Credentials;
///
/// let credentials = Credentials::basic("ann", "hunter2");
/// assert_eq!(format!("{credentials:?}"), "Credentials::Basic([redacted])");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Basic { username: String, password: String },
    Bearer(String),
}

impl Credentials {
    /// Returns a user name with a password.
    pub fn basic(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self(Kind::Basic { username: username.into(), password: password.into() })
    }

    /// Returns a token.
    pub fn bearer(token: impl Into<String>) -> Self {
        Self(Kind::Bearer(token.into()))
    }

    /// Reads `user:password` as it stands before the `@` of a URI.
    pub(crate) fn from_userinfo(userinfo: &str) -> Result<Self> {
        let (username, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        Ok(Self::basic(decode(username)?, decode(password)?))
    }

    /// Returns the header, marked so that nothing prints it.
    pub(crate) fn header(&self) -> Result<HeaderValue> {
        let text = match &self.0 {
            Kind::Basic { username, password } => {
                format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
            }
            Kind::Bearer(token) => format!("Bearer {token}"),
        };
        let mut header = HeaderValue::try_from(text).map_err(|_| {
            Error::invalid("the token for the tracking server holds characters that no header can")
        })?;
        header.set_sensitive(true);
        Ok(header)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Basic { .. } => f.write_str("Credentials::Basic([redacted])"),
            Kind::Bearer(_) => f.write_str("Credentials::Bearer([redacted])"),
        }
    }
}

fn decode(text: &str) -> Result<String> {
    let bad = || Error::invalid("the credentials in the server uri have a broken %-escape");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().ok_or_else(bad)?, rest.next().ok_or_else(bad)?];
                let digits = std::str::from_utf8(&digits).map_err(|_| bad())?;
                u8::from_str_radix(digits, 16).map_err(|_| bad())?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_what_the_rfcs_say_and_never_print() {
        let basic = Credentials::basic("Aladdin", "open sesame").header().unwrap();
        assert_eq!(basic.to_str().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let bearer = Credentials::bearer("abc.def").header().unwrap();
        assert_eq!(bearer.to_str().unwrap(), "Bearer abc.def");
        assert_eq!(format!("{basic:?} {bearer:?}"), "Sensitive Sensitive");
    }

    #[test]
    fn a_token_that_would_break_the_request_is_refused_unseen() {
        let error = Credentials::bearer("secret\r\nx: y").header().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}
