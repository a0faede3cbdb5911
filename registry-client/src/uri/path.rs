//! Paths of artifacts below a location.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What a path may have at most: the shortest limit of the stores (S3 keys hold 1024 bytes, of which the location takes some).
const MAX_PATH_BYTES: usize = 800;

/// A file or folder below a [`Location`](crate::Location): relative, `/` between its parts, and unable to leave the location.
///
/// Refused: `..`, `.`, empty parts, a leading `/`, backslashes, `#` (MLflow's proxy refuses it), `:` in the first part (a drive or a
/// scheme), and control characters.
///
/// ```
/// use martello_registry_client::ArtifactPath;
///
/// let path: ArtifactPath = "model/MLmodel".parse().unwrap();
/// assert_eq!(path.file_name(), "MLmodel");
/// assert!("../secret".parse::<ArtifactPath>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ArtifactPath(String);

impl ArtifactPath {
    /// Returns the path with `/` between its parts.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the last part.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Returns the parts in order.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Returns this path with another one below it.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when the whole is too long.
    pub fn join(&self, below: &Self) -> Result<Self> {
        format!("{}/{}", self.0, below.0).parse()
    }
}

impl FromStr for ArtifactPath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match refusal(text) {
            Some(why) => Err(Error::invalid(format!("invalid artifact path {text:?}: {why}"))),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for ArtifactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ArtifactPath> for String {
    fn from(path: ArtifactPath) -> Self {
        path.0
    }
}

impl TryFrom<String> for ArtifactPath {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

fn refusal(text: &str) -> Option<&'static str> {
    let first = text.split('/').next().unwrap_or_default();
    if text.is_empty() {
        Some("it is empty")
    } else if text.len() > MAX_PATH_BYTES {
        Some("it is longer than 800 bytes")
    } else if text.contains(['\\', '#']) || text.chars().any(char::is_control) {
        Some("backslashes, `#` and control characters are not allowed")
    } else if text.starts_with('/') || first.contains(':') {
        Some("it must be relative")
    } else if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
        Some("empty parts, `.` and `..` are not allowed")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_could_leave_its_location_is_refused() {
        let check = |path: &str, ok: bool| assert_eq!(path.parse::<ArtifactPath>().is_ok(), ok, "{path:?}");
        check("model/MLmodel", true);
        check("sp ace+ü%?&=", true);
        check("a..b/...", true);
        check("", false);
        check("/etc/passwd", false);
        check("..", false);
        check("a/../../b", false);
        check("./a", false);
        check("a//b", false);
        check("a/", false);
        check("a\\b", false);
        check("a#b", false);
        check("a\0b", false);
        check("a\nb", false);
        check("C:/x", false);
        check("file:x", false);
        check(&"x".repeat(801), false);
    }
}
