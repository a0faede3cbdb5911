//! How to reach S3, from code or from the environment variables that users of MLflow and of AWS know.

use std::fmt;
use std::time::Duration;

use crate::environment::{Environment, Profile};
use crate::rest::Trust;
use crate::{Error, Result};

/// S3 takes no smaller parts, except for the last one.
const MIN_PART_BYTES: u64 = 5 << 20;

/// S3 takes no larger parts.
const MAX_PART_BYTES: u64 = 5 << 30;

/// More parts at a time than this would be a mistake: with the smallest parts they hold 320 MiB.
const MAX_PARALLEL_PARTS: u64 = 64;

/// How to reach S3.
///
/// ```
/// use martello_registry_client::{S3Credentials, S3Options};
///
/// let options = S3Options {
///     endpoint: Some("http://127.0.0.1:9000".into()),
///     credentials: Some(S3Credentials::new("minioadmin", "s3cret")),
///     ..S3Options::default()
/// };
/// assert!(!format!("{options:?}").contains("s3cret"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct S3Options {
    /// `http://host:port` of the server; AWS itself when absent.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// Who asks; nobody in particular when absent.
    pub credentials: Option<S3Credentials>,
    /// Where the bucket stands in the address.
    pub addressing: Addressing,
    /// Which servers are believed. `System` is Mozilla's list of authorities, compiled in.
    pub trust: Trust,
    /// How large a part is of a file that is sent in parts: 8 MiB, as for boto3, good for files up to 78 GiB. Larger files get
    /// larger parts.
    pub part_bytes: u64,
    /// How many parts of a file are on their way at a time; one more is in memory. 8: a store that takes its time for each part
    /// is asked for the next meanwhile (500 MB came in half the time of 3), and about 72 MiB of a file are in memory.
    pub parallel_parts: usize,
    /// How long one call may take, beyond what its size adds; 60 s, botocore's default.
    pub request_timeout: Duration,
    /// How long a download may stand still; 60 s, the patience of common reverse proxies.
    pub idle_timeout: Duration,
    /// How often a call is tried again; 7, as for MLflow.
    pub max_retries: u32,
    /// The longest first wait before another attempt; it doubles with each and is drawn evenly from nothing to that; 250 ms.
    pub backoff: Duration,
}

/// Where the bucket stands in the address of an object.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Addressing {
    /// In the path, as servers other than AWS want it; in the host for AWS.
    #[default]
    Automatic,
    /// In the path.
    Path,
    /// In the host.
    Virtual,
}

/// An access key with its secret. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Credentials {
    pub(super) access_key: String,
    pub(super) secret_key: String,
    pub(super) session_token: Option<String>,
}

impl Default for S3Options {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: "us-east-1".into(),
            credentials: None,
            addressing: Addressing::default(),
            trust: Trust::default(),
            part_bytes: 8 << 20,
            parallel_parts: 8,
            request_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            max_retries: 7,
            backoff: Duration::from_millis(250),
        }
    }
}

impl S3Options {
    /// Reads the environment: `MLFLOW_S3_ENDPOINT_URL`, `MLFLOW_S3_IGNORE_TLS`, `MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE`,
    /// `MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE`, `MARTELLO_S3_PARALLEL_PARTS`; `AWS_ACCESS_KEY_ID` with `_SECRET_ACCESS_KEY` and `_SESSION_TOKEN`, or else the
    /// profile `AWS_PROFILE` of `AWS_SHARED_CREDENTIALS_FILE` (`~/.aws/credentials`); `AWS_DEFAULT_REGION`, `AWS_REGION`;
    /// `AWS_CA_BUNDLE`; `AWS_MAX_ATTEMPTS`; `MARTELLO_S3_REQUEST_TIMEOUT`, `MARTELLO_S3_IDLE_TIMEOUT` in seconds. Proxies are taken from
    /// `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` by the minio crate itself.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a value that means nothing, by the variable's name.
    pub fn from_env() -> Result<Self> {
        Self::from_variables(&|name| std::env::var(name).ok())
    }

    /// Reads the same variables from somewhere else.
    ///
    /// # Errors
    ///
    /// Those of [`from_env`](Self::from_env).
    pub fn from_variables(get: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let environment = Environment::new(get);
        let mut options = Self {
            endpoint: environment
                .text("MLFLOW_S3_ENDPOINT_URL")
                .or_else(|| environment.text("AWS_ENDPOINT_URL_S3")),
            credentials: S3Credentials::read(&environment)?,
            addressing: addressing(&environment)?,
            ..Self::default()
        };
        if let Some(region) =
            environment.text("AWS_DEFAULT_REGION").or_else(|| environment.text("AWS_REGION"))
        {
            options.region = region;
        }
        if let Some(path) = environment.path("AWS_CA_BUNDLE") {
            options.trust = Trust::Pem(path);
        }
        if environment.flag("MLFLOW_S3_IGNORE_TLS")? {
            options.trust = Trust::Anybody;
        }
        if let Some(bytes) = environment.number("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE")? {
            if !(MIN_PART_BYTES..=MAX_PART_BYTES).contains(&bytes) {
                return Err(Error::invalid(
                    "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE must be 5 MiB to 5 GiB, in bytes",
                ));
            }
            options.part_bytes = bytes;
        }
        if let Some(attempts) = environment.number::<u32>("AWS_MAX_ATTEMPTS")? {
            let retries = attempts.checked_sub(1);
            options.max_retries =
                retries.ok_or_else(|| Error::invalid("AWS_MAX_ATTEMPTS must be 1 or more"))?;
        }
        if let Some(timeout) = environment.limit("MARTELLO_S3_REQUEST_TIMEOUT")? {
            options.request_timeout = timeout;
        }
        if let Some(timeout) = environment.limit("MARTELLO_S3_IDLE_TIMEOUT")? {
            options.idle_timeout = timeout;
        }
        if let Some(parts) = environment.number("MARTELLO_S3_PARALLEL_PARTS")? {
            if !(1..=MAX_PARALLEL_PARTS).contains(&parts) {
                return Err(Error::invalid("MARTELLO_S3_PARALLEL_PARTS must be 1 to 64"));
            }
            options.parallel_parts = parts as usize;
        }
        Ok(options)
    }
}

fn addressing(environment: &Environment<'_>) -> Result<Addressing> {
    match environment.text("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE").as_deref() {
        None | Some("auto") => Ok(Addressing::Automatic),
        Some("path") => Ok(Addressing::Path),
        Some("virtual") => Ok(Addressing::Virtual),
        Some(_) => Err(Error::invalid("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE must be auto, path or virtual")),
    }
}

impl S3Credentials {
    /// Returns an access key with its secret.
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self { access_key: access_key.into(), secret_key: secret_key.into(), session_token: None }
    }

    /// Adds the token that goes with temporary keys.
    #[must_use]
    pub fn session_token(self, token: impl Into<String>) -> Self {
        Self { session_token: Some(token.into()), ..self }
    }

    fn read(environment: &Environment<'_>) -> Result<Option<Self>> {
        let keys = (environment.text("AWS_ACCESS_KEY_ID"), environment.text("AWS_SECRET_ACCESS_KEY"));
        if let (Some(access_key), Some(secret_key)) = keys {
            return Ok(Some(Self {
                access_key,
                secret_key,
                session_token: environment.text("AWS_SESSION_TOKEN"),
            }));
        }
        let path =
            environment.path("AWS_SHARED_CREDENTIALS_FILE").or_else(|| environment.home(".aws/credentials"));
        let Some(path) = path else { return Ok(None) };
        let profile = environment.text("AWS_PROFILE").unwrap_or_else(|| "default".into());
        let found = Profile::read(&path, &profile)?;
        Ok(match (found.get("aws_access_key_id"), found.get("aws_secret_access_key")) {
            (Some(access_key), Some(secret_key)) => {
                Some(Self { access_key, secret_key, session_token: found.get("aws_session_token") })
            }
            _ => None,
        })
    }
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Credentials([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<S3Options> {
        let get =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        S3Options::from_variables(&get)
    }

    #[test]
    fn every_setting_arrives_and_no_secret_prints() {
        let options = read(&[
            ("MLFLOW_S3_ENDPOINT_URL", "https://minio:9000"),
            ("MLFLOW_S3_IGNORE_TLS", "true"),
            ("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE", "virtual"),
            ("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", "10485760"),
            ("MARTELLO_S3_PARALLEL_PARTS", "2"),
            ("MARTELLO_S3_REQUEST_TIMEOUT", "7"),
            ("MARTELLO_S3_IDLE_TIMEOUT", "1.5"),
            ("AWS_MAX_ATTEMPTS", "3"),
            ("AWS_ACCESS_KEY_ID", "key1"),
            ("AWS_SECRET_ACCESS_KEY", "s3cret"),
            ("AWS_SESSION_TOKEN", "t0ken"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
        ])
        .unwrap();
        assert_eq!(options.endpoint.as_deref(), Some("https://minio:9000"));
        assert_eq!((options.trust.clone(), options.addressing), (Trust::Anybody, Addressing::Virtual));
        assert_eq!((options.part_bytes, options.parallel_parts), (10 << 20, 2));
        assert_eq!((options.region.as_str(), options.max_retries), ("eu-west-1", 2));
        assert_eq!(options.request_timeout, Duration::from_secs(7));
        assert_eq!(options.idle_timeout, Duration::from_millis(1500));
        assert_eq!(options.credentials, Some(S3Credentials::new("key1", "s3cret").session_token("t0ken")));
        let printed = format!("{options:?}");
        assert!(
            !printed.contains("s3cret") && !printed.contains("t0ken") && !printed.contains("key1"),
            "{printed}"
        );
    }

    #[test]
    fn other_names_of_a_setting_count_as_well() {
        let options = read(&[
            ("AWS_ENDPOINT_URL_S3", "http://other:1"),
            ("AWS_REGION", "ap-south-1"),
            ("AWS_CA_BUNDLE", "/ca.pem"),
        ]);
        let options = options.unwrap();
        assert_eq!(
            (options.endpoint.as_deref(), options.region.as_str()),
            (Some("http://other:1"), "ap-south-1")
        );
        assert_eq!(options.trust, Trust::Pem("/ca.pem".into()));
        let both = read(&[("AWS_REGION", "ap-south-1"), ("AWS_DEFAULT_REGION", "eu-west-1")]).unwrap();
        assert_eq!(both.region, "eu-west-1");
    }

    #[test]
    fn the_shared_file_is_read_by_profile_when_the_environment_has_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials");
        let text = "[default]\naws_access_key_id=a\naws_secret_access_key=b\n[team]\naws_access_key_id = c\naws_secret_access_key = d\naws_session_token = e\n";
        std::fs::write(&file, text).unwrap();
        let file = ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap());
        let check = |variables: &[(&str, &str)], expected: Option<S3Credentials>| {
            assert_eq!(read(variables).unwrap().credentials, expected, "{variables:?}");
        };
        check(&[file], Some(S3Credentials::new("a", "b")));
        check(&[file, ("AWS_PROFILE", "team")], Some(S3Credentials::new("c", "d").session_token("e")));
        check(&[file, ("AWS_PROFILE", "nobody")], None);
        check(&[], None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for variable in [
            ("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE", "diagonal"),
            ("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", "1"),
            ("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", "many"),
            ("MARTELLO_S3_PARALLEL_PARTS", "0"),
            ("MARTELLO_S3_IDLE_TIMEOUT", "0"),
            ("AWS_MAX_ATTEMPTS", "0"),
            ("MLFLOW_S3_IGNORE_TLS", "perhaps"),
        ] {
            assert!(read(&[variable]).unwrap_err().to_string().contains(variable.0), "{variable:?}");
        }
    }
}
