//! What becomes of a request's fields whose names have an underscore.

use std::fmt;
use std::str::FromStr;

/// What becomes of a request's fields whose names have an underscore.
///
/// They are tokens like any other (RFC 9110 section 5.1). But servers that hand fields on as variables, as CGI does
/// (RFC 3875 section 4.1.18), and frameworks that follow them, read `X_Forwarded_For` and `X-Forwarded-For` as one: a
/// client could say under the first name what a proxy takes out, or sets itself, under the second.
///
/// ```
/// use martello_balancer::Underscores;
///
/// assert_eq!("pass".parse(), Ok(Underscores::Pass));
/// assert_eq!(Underscores::default().to_string(), "drop");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Underscores {
    /// They are left out, as nginx does: nothing behind can mistake them for others.
    #[default]
    Drop,
    /// They are passed on, for replicas that tell them apart and need them.
    Pass,
}

impl fmt::Display for Underscores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Drop => "drop",
            Self::Pass => "pass",
        })
    }
}

impl FromStr for Underscores {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, &'static str> {
        match name {
            "drop" => Ok(Self::Drop),
            "pass" => Ok(Self::Pass),
            _ => Err("use drop or pass"),
        }
    }
}
