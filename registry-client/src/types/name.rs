//! Names of registered models and aliases: checked once, safe in a URI ever after.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// MLflow's columns hold 256 characters.
const MAX_NAME_CHARS: usize = 256;

/// A registered model's name: not empty, at most 256 characters, without `/`, `:`, `@` and control characters.
///
/// MLflow accepts some of these (`/` and `:` up to 2.14, `@` to this day), but then `models:/` URIs with that name cannot be told
/// apart, so they are refused here.
///
/// ```
/// use martello_registry_client::ModelName;
///
/// assert!("penguin_species".parse::<ModelName>().is_ok());
/// assert!("penguins@home".parse::<ModelName>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelName(String);

/// An alias of a version: letters, digits, `_` and `-`, at most 255 characters, and neither `latest` nor a version number such as `v1`.
///
/// ```
/// use martello_registry_client::AliasName;
///
/// assert!("champion".parse::<AliasName>().is_ok());
/// assert!("latest".parse::<AliasName>().is_err());
/// assert!("v1".parse::<AliasName>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AliasName(String);

// ===== impl ModelName =====

impl ModelName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ModelName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |why: &str| Err(Error::invalid(format!("invalid model name {text:?}: {why}")));
        if text.trim().is_empty() {
            return refuse("it is empty");
        }
        if text.chars().count() > MAX_NAME_CHARS {
            return refuse("it is longer than 256 characters");
        }
        if text.contains(['/', ':', '@']) || text.chars().any(char::is_control) {
            return refuse("`/`, `:`, `@` and control characters are not allowed");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// ===== impl AliasName =====

impl AliasName {
    /// Returns the alias.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AliasName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |why: &str| Err(Error::invalid(format!("invalid alias {text:?}: {why}")));
        if text.is_empty() || text.chars().count() >= MAX_NAME_CHARS {
            return refuse("it must have 1 to 255 characters");
        }
        if !text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
            return refuse("only letters, digits, `_` and `-` are allowed");
        }
        let number = text.strip_prefix(['v', 'V']);
        if text.eq_ignore_ascii_case("latest") || number.is_some_and(is_digits) {
            return refuse("it is reserved: `latest` and `v1`, `v2`, ... name versions");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_break_a_uri_are_refused() {
        let check = |name: &str, ok: bool| assert_eq!(name.parse::<ModelName>().is_ok(), ok, "{name:?}");
        check("linear_regression_model", true);
        check("Pingüino 3 (β)", true);
        check("", false);
        check("  ", false);
        check("a/b", false);
        check("a:b", false);
        check("a@b", false);
        check("a\nb", false);
        check(&"x".repeat(256), true);
        check(&"x".repeat(257), false);
    }

    #[test]
    fn aliases_that_look_like_versions_are_refused() {
        let check = |alias: &str, ok: bool| assert_eq!(alias.parse::<AliasName>().is_ok(), ok, "{alias:?}");
        check("champion", true);
        check("v1-candidate", true);
        check("v", true);
        check("latest", false);
        check("LATEST", false);
        check("v1", false);
        check("V22", false);
        check("a b", false);
        check("a/b", false);
        check("", false);
        check(&"x".repeat(255), true);
        check(&"x".repeat(256), false);
    }
}
