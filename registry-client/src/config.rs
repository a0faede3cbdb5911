//! Which backend a tracking URI names, by MLflow's own rules.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::embedded::DATABASE_FILE;
use crate::{Error, ErrorKind, Result};

/// The environment variable that names the registry, as for every MLflow client.
pub const TRACKING_URI_VARIABLE: &str = "MLFLOW_TRACKING_URI";

/// Where a registry is.
///
/// As in SQLAlchemy, three slashes lead a relative path and four an absolute one.
///
/// ```
/// use martello_registry_client::TrackingUri;
///
/// let relative: TrackingUri = "sqlite:///data/mlflow.db".parse().unwrap();
/// assert_eq!(relative, TrackingUri::Sqlite("data/mlflow.db".into()));
/// let absolute: TrackingUri = "sqlite:////srv/mlflow.db".parse().unwrap();
/// assert_eq!(absolute, TrackingUri::Sqlite("/srv/mlflow.db".into()));
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum TrackingUri {
    /// A database file in MLflow's schema: the embedded registry.
    Sqlite(PathBuf),
    /// An MLflow server.
    Http(String),
}

impl TrackingUri {
    /// Reads `MLFLOW_TRACKING_URI`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when it is not set or names nothing that can be understood.
    pub fn from_env() -> Result<Self> {
        match std::env::var(TRACKING_URI_VARIABLE) {
            Ok(text) if !text.trim().is_empty() => text.trim().parse(),
            _ => Err(Error::invalid(format!(
                "{TRACKING_URI_VARIABLE} is not set: set it, for example to sqlite:///mlflow.db"
            ))),
        }
    }

    /// Names the embedded registry of a folder, whether it is there or not.
    pub fn embedded(dir: impl AsRef<Path>) -> Self {
        Self::Sqlite(dir.as_ref().join(DATABASE_FILE))
    }

    /// Returns a file by its absolute path without links, so that one registry has one name.
    pub(crate) fn absolute(&self) -> Self {
        let Self::Sqlite(path) = self else { return self.clone() };
        let Ok(path) = std::path::absolute(path) else { return self.clone() };
        let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
        Self::Sqlite(match (folder, path.file_name()) {
            (Some(folder), Some(file)) => folder.join(file),
            _ => path,
        })
    }
}

impl FromStr for TrackingUri {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Self::Http(text.to_owned()));
        }
        let Some(path) = text.strip_prefix("sqlite:///") else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "tracking uri {:?} names no registry known here: use sqlite:///path/mlflow.db",
                    redact(text)
                ),
            ));
        };
        if path.is_empty() || path.starts_with(':') || path.contains(['?', '#']) {
            return Err(Error::invalid(format!(
                "tracking uri {text:?} must name a file, without options: sqlite:///path/mlflow.db"
            )));
        }
        Ok(Self::Sqlite(path.into()))
    }
}

impl fmt::Display for TrackingUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:///{}", path.display()),
            Self::Http(uri) => f.write_str(&redact(uri)),
        }
    }
}

impl fmt::Debug for TrackingUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrackingUri({self})")
    }
}

/// Hides what stands before `@` in the authority, and the query: both may hold secrets.
pub(crate) fn redact(uri: &str) -> String {
    let after_scheme = uri.find("://").map_or(0, |at| at + "://".len());
    let (scheme, rest) = uri.split_at(after_scheme);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}[redacted]@{host}{path}"),
        None => format!("{scheme}{authority}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_a_uri_are_never_printed() {
        let check = |uri: &str, expected: &str| assert_eq!(redact(uri), expected);
        check("http://user:secret@host:5000/x", "http://[redacted]@host:5000/x");
        check("https://host/x?token=secret", "https://host/x");
        check("http://host", "http://host");
        check("user:secret@proxy:3128", "[redacted]@proxy:3128");
        check("proxy:3128", "proxy:3128");
        let uri: TrackingUri = "http://user:secret@host".parse().unwrap();
        assert!(!format!("{uri} {uri:?}").contains("secret"));
        let error = "mysql://user:secret@host/db".parse::<TrackingUri>().unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn a_database_uri_must_name_a_file() {
        for text in ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///x.db?mode=ro", "mlruns", ""]
        {
            assert!(text.parse::<TrackingUri>().is_err(), "{text}");
        }
    }
}
