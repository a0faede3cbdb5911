//! `Via`: through whom a message has come (RFC 9110 section 7.6.3).

use std::str::FromStr;

use http::header::{HeaderValue, VIA};
use http::{HeaderMap, Version};

/// The name under which a proxy appears in the `Via` of what it passes on.
///
/// A process has one or a few for all its life, so what is parsed once is kept that long: every request carries a copy
/// for its answer, and one that has to be counted and dropped costs as much as writing the field.
///
/// ```
/// use martello_balancer::Via;
///
/// assert!("balancer-1".parse::<Via>().is_ok());
/// assert!("balancer.example:8000".parse::<Via>().is_ok());
/// assert!("two words".parse::<Via>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via {
    entries: &'static Entries,
}

/// By the version of the message that came.
#[derive(Debug, PartialEq, Eq)]
struct Entries {
    now: HeaderValue,
    old: HeaderValue,
}

impl Via {
    /// Adds the name behind those that are there.
    pub(super) fn sign(&self, version: Version, fields: &mut HeaderMap) {
        let entry = if version >= Version::HTTP_11 { &self.entries.now } else { &self.entries.old };
        fields.append(VIA, entry.clone());
    }
}

impl FromStr for Via {
    type Err = &'static str;

    /// Takes a pseudonym, or a host with a port or without.
    fn from_str(name: &str) -> Result<Self, &'static str> {
        const UNUSABLE: &str = "use a name such as balancer-1 or balancer.example:8000";
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:[]".contains(&byte);
        if name.is_empty() || !name.bytes().all(allowed) {
            return Err(UNUSABLE);
        }
        let entry = |version| HeaderValue::try_from(format!("{version} {name}")).map_err(|_| UNUSABLE);
        let entries = Entries { now: entry("1.1")?, old: entry("1.0")? };
        Ok(Self { entries: Box::leak(Box::new(entries)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_entry_of_the_list() {
        for name in ["balancer-1", "balancer.example:8000", "[::1]:8000"] {
            assert!(name.parse::<Via>().is_ok(), "{name}");
        }
        for name in ["", "a b", "a,b", "a(b)", "a\r\nb", "\u{e9}"] {
            assert!(name.parse::<Via>().is_err(), "{name}");
        }
    }

    #[test]
    fn it_stands_behind_the_others_with_the_version_that_came() {
        let via: Via = "b".parse().unwrap();
        let mut fields = HeaderMap::from_iter([(VIA, HeaderValue::from_static("1.1 a"))]);
        via.sign(Version::HTTP_11, &mut fields);
        via.sign(Version::HTTP_10, &mut fields);
        assert_eq!(fields.get_all(VIA).iter().collect::<Vec<_>>(), ["1.1 a", "1.1 b", "1.0 b"]);
    }
}
