//! Who may use the admin API.

use std::{fmt, hint::black_box};

use http::{HeaderMap, header};

use crate::{Error, ErrorKind};

/// What a caller of the admin API must know. It is never shown.
#[derive(Clone)]
pub struct AdminToken(Box<[u8]>);

impl AdminToken {
    /// The least length: sixteen characters, which nobody guesses over a network.
    pub const LEAST: usize = 16;

    /// Returns the token.
    ///
    /// # Errors
    /// If it is shorter than [`AdminToken::LEAST`], or no header could carry it.
    pub fn new(token: &str) -> Result<Self, Error> {
        let unusable = |why: &'static str| {
            Err(Error::new(ErrorKind::Local, "the admin API's token cannot be used").because(why))
        };
        match token {
            short if short.len() < Self::LEAST => unusable("it is shorter than 16 characters"),
            token if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Self(token.as_bytes().into())),
            _ => unusable("it has characters other than visible ASCII ones"),
        }
    }

    /// Compares in a time that depends on what was given, not on how much of it is right.
    fn is(&self, given: &[u8]) -> bool {
        let mut difference = self.0.len() ^ given.len();
        for (index, byte) in given.iter().enumerate() {
            difference |= usize::from(byte ^ black_box(self.0[index % self.0.len()]));
        }
        black_box(difference) == 0
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken")
    }
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It has no token, or a wrong one.
    Token,
    /// It comes from a web page.
    WebPage,
}

/// Lets in who knows the token or, where there is none, whatever program of this machine asks.
///
/// Without a token, the danger is a web page that a user of this machine looks at: its scripts can send requests to
/// this machine, too. A browser says so in `Origin`, and a page that pretends to be on this machine (DNS rebinding) has
/// its own name in `Host`.
pub(super) fn admit(token: Option<&AdminToken>, fields: &HeaderMap) -> Result<(), Refused> {
    let Some(token) = token else {
        let is_page = fields.contains_key(header::ORIGIN) || !names_this_machine(fields);
        return if is_page { Err(Refused::WebPage) } else { Ok(()) };
    };
    let given = fields.get(header::AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
    let is_bearer = given.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
    if is_bearer && token.is(given[7..].trim_ascii()) { Ok(()) } else { Err(Refused::Token) }
}

fn names_this_machine(fields: &HeaderMap) -> bool {
    let Some(host) = fields.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let authority: Result<http::uri::Authority, _> = host.parse();
    authority.is_ok_and(|authority| {
        let name = authority.host().trim_matches(['[', ']']);
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(
        token: Option<&str>,
        fields: &[(header::HeaderName, &'static str)],
        expected: Result<(), Refused>,
    ) {
        let token = token.map(|token| AdminToken::new(token).unwrap());
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.insert(name, HeaderValue::from_static(value));
        }
        assert_eq!(admit(token.as_ref(), &map), expected, "{fields:?}");
    }

    #[test]
    fn only_who_knows_the_token_is_let_in() {
        let token = Some("correct-horse-battery");
        for right in ["Bearer correct-horse-battery", "bearer  correct-horse-battery"] {
            check(token, &[(header::AUTHORIZATION, right)], Ok(()));
        }
        for wrong in [
            "",
            "Bearer ",
            "Bearer correct-horse-batterz",
            "Bearer correct-horse-batter",
            "Bearer correct-horse-battery-correct-horse-battery",
            "Bearer correct-horse-batterycorrect-horse-battery",
            "Basic correct-horse-battery",
            "correct-horse-battery",
        ] {
            check(token, &[(header::AUTHORIZATION, wrong)], Err(Refused::Token));
        }
        check(token, &[], Err(Refused::Token));
    }

    #[test]
    fn without_a_token_programs_may_and_web_pages_may_not() {
        for host in ["127.0.0.1:9901", "localhost:9901", "[::1]:9901", "127.9.9.9"] {
            check(None, &[(header::HOST, host)], Ok(()));
        }
        check(None, &[(header::HOST, "rebound.example:9901")], Err(Refused::WebPage));
        check(
            None,
            &[(header::HOST, "127.0.0.1:1"), (header::ORIGIN, "http://a.example")],
            Err(Refused::WebPage),
        );
        check(None, &[], Err(Refused::WebPage));
    }

    #[test]
    fn a_token_is_long_enough_for_a_header_and_never_shown() {
        for unusable in
            ["", "short", "fifteen-letters", "a token with spaces in it", "ein-schlüssel-mit-umlaut"]
        {
            assert!(AdminToken::new(unusable).is_err(), "{unusable}");
        }
        let token = AdminToken::new("correct-horse-battery").unwrap();
        assert!(!format!("{token:?}").contains("horse"));
    }
}
