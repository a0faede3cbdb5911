//! Requests to go on in another protocol (RFC 9110 section 7.8).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::header::{CONNECTION, UPGRADE};
use http::{Extensions, Method, Request, Version};

/// Whether a client may ask a replica to go on in another protocol, such as WebSocket, on the same connection.
///
/// Where a replica agrees, with a `101 Switching Protocols` of its own, bytes pass both ways from then on, and none
/// of the rules of HTTP holds for them: no limit on bodies, no field that is taken out. So it is to be asked for, and
/// even then no protocol is passed on that carries requests past those rules: HTTP itself, in the clear (`h2c`) or
/// under TLS. Nor is it for a request with content, an HTTP/1.0 client, or HEAD.
///
/// ```
/// use martello_balancer::Upgrades;
///
/// assert_eq!("on".parse(), Ok(Upgrades::On));
/// assert_eq!(Upgrades::default().to_string(), "off");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upgrades {
    /// The wish ends here, as with nginx and Envoy unless they are told: clients stay with HTTP/1.1.
    #[default]
    Off,
    /// Replicas are asked.
    On,
}

impl fmt::Display for Upgrades {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Off => "off",
            Self::On => "on",
        })
    }
}

impl FromStr for Upgrades {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, &'static str> {
        match name {
            "off" => Ok(Self::Off),
            "on" => Ok(Self::On),
            _ => Err("use off or on"),
        }
    }
}

/// The protocols that a client would go on in, as far as a replica is asked for them; among the extensions of its
/// request.
#[derive(Clone, Debug)]
pub(crate) struct Upgrade {
    protocols: Arc<str>,
}

impl Upgrade {
    /// What a request offers, which is nothing for nearly every one.
    #[inline]
    pub(crate) fn among(extensions: &Extensions) -> Option<&Self> {
        /// Apart, so that whoever asks need not make room for a look into a map that is not there.
        #[cold]
        #[inline(never)]
        fn find(extensions: &Extensions) -> Option<&Upgrade> {
            extensions.get()
        }
        if extensions.is_empty() { None } else { find(extensions) }
    }

    /// What a request without content asks for.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        // RFC 9110 section 7.8: ignored in an HTTP/1.0 request.
        if request.version() < Version::HTTP_11 || request.method() == Method::HEAD {
            return None;
        }
        let fields = request.headers();
        let mut options = fields.get_all(CONNECTION).iter().flat_map(|value| list(value.as_bytes()));
        if !options.any(|option| option.eq_ignore_ascii_case(b"upgrade")) {
            return None;
        }
        let protocols = fields.get_all(UPGRADE).iter().flat_map(|value| list(value.as_bytes()));
        let passed: Vec<&str> = protocols.filter(|protocol| may_pass(protocol)).map_while(text).collect();
        (!passed.is_empty()).then(|| Self { protocols: passed.join(", ").into() })
    }

    /// The protocols as a field's value.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.protocols.as_bytes()
    }

    /// Returns whether a protocol is one of those that were asked for.
    pub(crate) fn offers(&self, protocol: &[u8]) -> bool {
        list(self.as_bytes()).any(|offered| offered.eq_ignore_ascii_case(protocol))
    }
}

fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

/// A name, with a version or without, of no protocol that carries HTTP requests.
fn may_pass(protocol: &[u8]) -> bool {
    const CARRY_HTTP: [&[u8]; 5] = [b"http", b"h2", b"h2c", b"h3", b"tls"];
    let mut parts = protocol.split(|byte| *byte == b'/');
    let name = parts.next().unwrap_or_default();
    let version_fits = parts.next().is_none_or(is_token) && parts.next().is_none();
    is_token(name) && version_fits && !CARRY_HTTP.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn text(protocol: &[u8]) -> Option<&str> {
    std::str::from_utf8(protocol).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(method: Method, version: Version, connection: &str, upgrade: &[&str]) -> Option<String> {
        let mut request = Request::builder().method(method).version(version).header(CONNECTION, connection);
        for value in upgrade {
            request = request.header(UPGRADE, *value);
        }
        Upgrade::of(&request.body(()).unwrap()).map(|upgrade| upgrade.protocols.to_string())
    }

    #[test]
    fn what_carries_http_is_not_passed_on() {
        let get = |upgrade: &[&str]| asks(Method::GET, Version::HTTP_11, "keep-alive, Upgrade", upgrade);
        for (upgrade, expected) in [
            (&["websocket"][..], Some("websocket")),
            (&["WebSocket/13"], Some("WebSocket/13")),
            (&["h2c", "websocket"], Some("websocket")),
            (&["a, H2C ,b"], Some("a, b")),
            (&["h2c"], None),
            (&["HTTP/2.0"], None),
            (&["TLS/1.0, h2, h3"], None),
            (&["h2c/1, h2c/"], None),
            (&["a b, /c, d/e/f, g/"], None),
            (&["", ","], None),
            (&[], None),
        ] {
            assert_eq!(get(upgrade).as_deref(), expected, "{upgrade:?}");
        }
    }

    #[test]
    fn the_wish_has_to_be_one() {
        let websocket = ["websocket"];
        assert_eq!(asks(Method::GET, Version::HTTP_10, "upgrade", &websocket), None);
        assert_eq!(asks(Method::HEAD, Version::HTTP_11, "upgrade", &websocket), None);
        assert_eq!(asks(Method::GET, Version::HTTP_11, "keep-alive", &websocket), None);
        assert!(asks(Method::POST, Version::HTTP_11, "UPGRADE", &websocket).is_some());
    }

    #[test]
    fn only_what_was_asked_for_is_agreed_to() {
        let upgrade = Upgrade { protocols: "websocket, a/1".into() };
        assert!(upgrade.offers(b"WebSocket") && upgrade.offers(b"a/1"));
        assert!(!upgrade.offers(b"a") && !upgrade.offers(b"h2c") && !upgrade.offers(b"websocket, a/1"));
    }
}
