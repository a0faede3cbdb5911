//! Places for artifacts: what MLflow writes into `artifact_location`, `artifact_uri` and `source`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::config::redact;
use crate::{ArtifactPath, Error, Result};

/// An absolute place for artifacts.
///
/// ```
/// use martello_registry_client::Location;
///
/// let location: Location = "file:///data/my%20models".parse().unwrap();
/// assert_eq!(location, Location::File("/data/my models".into()));
/// assert_eq!(location.to_string(), "file:///data/my%20models");
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Location {
    /// A local folder, absolute.
    File(PathBuf),
    /// Behind the artifact proxy of an MLflow server.
    Proxy {
        /// `host` or `host:port` of the server; the tracking server itself when absent.
        authority: Option<String>,
        /// The path below the server's artifact root, without a leading `/`.
        path: String,
    },
    /// In an S3 bucket.
    S3 {
        /// The bucket.
        bucket: String,
        /// The key or its prefix, without a leading `/`.
        key: String,
    },
}

impl Location {
    /// Returns the location of a local folder.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when the path is relative (it would depend on where a program was started) or not Unicode.
    pub fn file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        match path.to_str() {
            Some(_) if path.is_absolute() => Ok(Self::File(path.to_owned())),
            Some(_) => Err(Error::invalid(format!(
                "artifact folder {} is relative: make it absolute",
                path.display()
            ))),
            None => Err(Error::invalid(format!("artifact folder {} is not Unicode", path.display()))),
        }
    }

    /// Returns the location of a folder below this one.
    #[must_use]
    pub fn join(&self, below: &ArtifactPath) -> Self {
        let append = |path: &str| {
            let base = path.trim_end_matches('/');
            if base.is_empty() { below.to_string() } else { format!("{base}/{below}") }
        };
        match self {
            Self::File(folder) => Self::File(folder.join(below.as_str())),
            Self::Proxy { authority, path } => {
                Self::Proxy { authority: authority.clone(), path: append(path) }
            }
            Self::S3 { bucket, key } => Self::S3 { bucket: bucket.clone(), key: append(key) },
        }
    }
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: &str| Error::invalid(format!("invalid artifact location {:?}: {why}", redact(text)));
        if text.chars().any(char::is_control) {
            return Err(bad("control characters are not allowed"));
        }
        if text.starts_with('/') {
            return Self::file(text);
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(bad("it is neither a URI nor an absolute path"));
        };
        match scheme {
            "file" => Self::file(percent_decode(
                local_path(rest).ok_or_else(|| bad("expected file:///absolute/path"))?,
            )?),
            "mlflow-artifacts" => {
                let (authority, path) = split_authority(rest);
                if authority.is_some_and(|it| it.contains('@')) {
                    return Err(Error::invalid(
                        "invalid artifact location: credentials do not belong into a URI",
                    ));
                }
                Ok(Self::Proxy { authority: authority.map(str::to_owned), path: path.to_owned() })
            }
            "s3" => match split_authority(rest) {
                (Some(bucket), key) => Ok(Self::S3 { bucket: bucket.to_owned(), key: key.to_owned() }),
                (None, _) => Err(bad("expected s3://bucket/key")),
            },
            _ => Err(bad("expected file:, mlflow-artifacts:, s3: or an absolute path")),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file://{}", percent_encode(&path.to_string_lossy())),
            Self::Proxy { authority: None, path } => write!(f, "mlflow-artifacts:/{path}"),
            Self::Proxy { authority: Some(authority), path } => {
                write!(f, "mlflow-artifacts://{authority}/{path}")
            }
            Self::S3 { bucket, key } => write!(f, "s3://{bucket}/{key}"),
        }
    }
}

/// Takes the path out of what follows `file:`; a host other than this one has no local path.
fn local_path(rest: &str) -> Option<&str> {
    let path = match rest.strip_prefix("//") {
        Some(with_host) => with_host.strip_prefix("localhost").unwrap_or(with_host),
        None => rest,
    };
    path.starts_with('/').then_some(path)
}

fn split_authority(rest: &str) -> (Option<&str>, &str) {
    let Some(rest) = rest.strip_prefix("//") else { return (None, rest.trim_start_matches('/')) };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    ((!authority.is_empty()).then_some(authority), path.trim_start_matches('/'))
}

/// RFC 3986: everything but unreserved characters and `/` is written as `%XX`.
fn percent_encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn percent_decode(text: &str) -> Result<String> {
    let bad = || Error::invalid(format!("invalid artifact location: {text:?} has a broken %-escape"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().ok_or_else(bad)?, rest.next().ok_or_else(bad)?].map(char::from);
        let [Some(high), Some(low)] = digits.map(|digit| digit.to_digit(16)) else { return Err(bad()) };
        bytes.push((high * 16 + low) as u8);
    }
    let decoded = String::from_utf8(bytes).map_err(|_| bad())?;
    if decoded.chars().any(char::is_control) { Err(bad()) } else { Ok(decoded) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_as_mlflow_writes_them_are_read() {
        let check = |text: &str, expected: Location| {
            let location: Location = text.parse().unwrap();
            assert_eq!(location, expected, "{text}");
            assert_eq!(location.to_string().parse::<Location>().unwrap(), expected, "{text}");
        };
        let proxy = |authority: Option<&str>, path: &str| Location::Proxy {
            authority: authority.map(str::to_owned),
            path: path.to_owned(),
        };
        check("/srv/mlruns/0", Location::File("/srv/mlruns/0".into()));
        check("file:///srv/a%20b%23/ü", Location::File("/srv/a b#/ü".into()));
        check("file:/srv/x", Location::File("/srv/x".into()));
        check("file://localhost/srv/x", Location::File("/srv/x".into()));
        check("mlflow-artifacts:/0/abc/artifacts", proxy(None, "0/abc/artifacts"));
        check("mlflow-artifacts://host:5000/0", proxy(Some("host:5000"), "0"));
        check("s3://bucket/a/b", Location::S3 { bucket: "bucket".into(), key: "a/b".into() });
    }

    #[test]
    fn places_that_mean_nothing_absolute_are_refused() {
        for text in [
            "",
            "mlruns/0",
            "./mlruns",
            "file:mlruns",
            "file://host/x",
            "s3:///key",
            "gs://b/k",
            "file:///%zz",
            "a\nb",
            "mlflow-artifacts://user:secret@host/x",
        ] {
            let error = text.parse::<Location>().expect_err(text);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn joining_goes_below() {
        let below: ArtifactPath = "run/artifacts".parse().unwrap();
        let check = |base: &str, expected: &str| {
            assert_eq!(base.parse::<Location>().unwrap().join(&below).to_string(), expected);
        };
        check("file:///srv/0", "file:///srv/0/run/artifacts");
        check("mlflow-artifacts:/", "mlflow-artifacts:/run/artifacts");
        check("s3://b", "s3://b/run/artifacts");
    }
}
