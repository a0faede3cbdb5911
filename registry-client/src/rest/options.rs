//! How to speak to a server, from code or from the environment variables that MLflow users know.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::MultipartOptions;
use crate::environment::{Environment, Profile};
use crate::http::{Credentials, HttpOptions, Proxies, Trust};
use crate::{Error, ErrorKind, Result};

/// More retries than this are refused, by MLflow as well: a server that is down would be asked for minutes.
const MAX_RETRIES: u32 = 10;

const WORKSPACE_HEADER: HeaderName = HeaderName::from_static("x-mlflow-workspace");

/// How to speak to a server.
///
/// ```
/// use martello_registry_client::rest::{Credentials, RestOptions};
///
/// let options = RestOptions { credentials: Some(Credentials::bearer("s3cret")), ..RestOptions::default() };
/// assert!(!format!("{options:?}").contains("s3cret"));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RestOptions {
    /// Who asks. Credentials in the server's URI are used when there are none here.
    pub credentials: Option<Credentials>,
    /// The workspace, on servers that have several.
    pub workspace: Option<String>,
    /// Timeouts, retries, TLS.
    pub http: HttpOptions,
    /// Transfers that pass the server's artifact proxy by.
    pub multipart: MultipartOptions,
}

impl RestOptions {
    /// Reads the environment: `MLFLOW_TRACKING_USERNAME` with `_PASSWORD`, or else `~/.mlflow/credentials`, or else
    /// `MLFLOW_TRACKING_TOKEN`; `MLFLOW_TRACKING_INSECURE_TLS`, `_SERVER_CERT_PATH`, `_CLIENT_CERT_PATH`;
    /// `MLFLOW_HTTP_REQUEST_TIMEOUT`, `_MAX_RETRIES`, `_BACKOFF_FACTOR`; `MLFLOW_WORKSPACE`; `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`,
    /// `NO_PROXY`; `MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD`, `_DOWNLOAD`, `MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE`,
    /// `_UPLOAD_CHUNK_SIZE`, `_DOWNLOAD_CHUNK_SIZE`, `MLFLOW_S3_IGNORE_TLS`, `AWS_CA_BUNDLE`; `MARTELLO_REGISTRY_CONNECT_TIMEOUT`, `_IDLE_TIMEOUT`, `_RETRY_WINDOW` in seconds, `MARTELLO_REGISTRY_CONCURRENCY`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a value that means nothing, by the variable's name; `Unsupported` for ways to authenticate that
    /// this crate does not have, so that nothing is sent unauthenticated by mistake.
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
        for name in ["MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_AUTH"] {
            if environment
                .text(name)
                .is_some_and(|value| !matches!(value.to_ascii_lowercase().as_str(), "false" | "0"))
            {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("{name} is set: use a user name or a token instead"),
                ));
            }
        }
        Ok(Self {
            credentials: credentials(&environment)?,
            workspace: environment.text("MLFLOW_WORKSPACE"),
            http: http_options(&environment)?,
            multipart: MultipartOptions::read(&environment)?,
        })
    }

    /// Returns the headers that go with every call.
    pub(crate) fn headers(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        if let Some(workspace) = &self.workspace {
            let value = HeaderValue::try_from(workspace).map_err(|e| {
                Error::invalid("the workspace's name holds characters that no header can").with_source(e)
            })?;
            headers.insert(WORKSPACE_HEADER, value);
        }
        Ok(headers)
    }
}

/// MLflow's order: user name and password, each from the environment or else from the file, before the token.
fn credentials(environment: &Environment<'_>) -> Result<Option<Credentials>> {
    let file = match environment.home(".mlflow/credentials") {
        Some(path) => Some(Profile::read(&path, "mlflow")?),
        None => None,
    };
    let find = |variable: &str, key: &str| {
        environment.text(variable).or_else(|| file.as_ref().and_then(|profile| profile.get(key)))
    };
    let username = find("MLFLOW_TRACKING_USERNAME", "mlflow_tracking_username");
    let password = find("MLFLOW_TRACKING_PASSWORD", "mlflow_tracking_password");
    Ok(match (username, password) {
        (Some(username), Some(password)) => Some(Credentials::basic(username, password)),
        _ => environment.text("MLFLOW_TRACKING_TOKEN").map(Credentials::bearer),
    })
}

fn http_options(environment: &Environment<'_>) -> Result<HttpOptions> {
    let mut options = HttpOptions::default();
    for (name, limit) in [
        ("MLFLOW_HTTP_REQUEST_TIMEOUT", &mut options.request_timeout),
        ("MARTELLO_REGISTRY_CONNECT_TIMEOUT", &mut options.connect_timeout),
        ("MARTELLO_REGISTRY_IDLE_TIMEOUT", &mut options.idle_timeout),
        ("MARTELLO_REGISTRY_RETRY_WINDOW", &mut options.retry_window),
    ] {
        *limit = environment.limit(name)?.unwrap_or(*limit);
    }
    if let Some(calls) = environment.number("MARTELLO_REGISTRY_CONCURRENCY")? {
        if calls == 0 {
            return Err(Error::invalid("MARTELLO_REGISTRY_CONCURRENCY must be more than 0"));
        }
        options.concurrency = calls;
    }
    if let Some(retries) = environment.number("MLFLOW_HTTP_REQUEST_MAX_RETRIES")? {
        if retries > MAX_RETRIES {
            return Err(Error::invalid(format!(
                "MLFLOW_HTTP_REQUEST_MAX_RETRIES must be at most {MAX_RETRIES}"
            )));
        }
        options.max_retries = retries;
    }
    if let Some(backoff) = environment.seconds("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR")? {
        options.backoff = backoff.min(Duration::from_secs(120));
    }
    options.proxies = Proxies::read(environment);
    options.tls.client_certificate = environment.path("MLFLOW_TRACKING_CLIENT_CERT_PATH");
    options.tls.trust = match (
        environment.flag("MLFLOW_TRACKING_INSECURE_TLS")?,
        environment.path("MLFLOW_TRACKING_SERVER_CERT_PATH"),
    ) {
        (true, Some(_)) => {
            return Err(Error::invalid(
                "MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH are both set: unset one",
            ));
        }
        (true, None) => Trust::Anybody,
        (false, Some(path)) => Trust::Pem(path),
        (false, None) => Trust::System,
    };
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::PassBy;

    fn read(variables: &[(&str, &str)]) -> Result<RestOptions> {
        let get =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        RestOptions::from_variables(&get)
    }

    #[test]
    fn every_setting_arrives() {
        let options = read(&[
            ("MLFLOW_TRACKING_TOKEN", "t0ken"),
            ("MLFLOW_TRACKING_INSECURE_TLS", "true"),
            ("MLFLOW_TRACKING_CLIENT_CERT_PATH", "/c.pem"),
            ("MLFLOW_HTTP_REQUEST_TIMEOUT", "9"),
            ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3"),
            ("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1.5"),
            ("MARTELLO_REGISTRY_CONNECT_TIMEOUT", "4"),
            ("MARTELLO_REGISTRY_IDLE_TIMEOUT", "5"),
            ("MARTELLO_REGISTRY_RETRY_WINDOW", "6"),
            ("MARTELLO_REGISTRY_CONCURRENCY", "2"),
            ("MLFLOW_WORKSPACE", "team-a"),
            ("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true"),
            ("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false"),
            ("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "7"),
            ("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", "8"),
            ("MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE", "9"),
            ("MLFLOW_S3_IGNORE_TLS", "true"),
            ("HTTP_PROXY", "http://u:p4ss@in-capitals:1"),
            ("https_proxy", "http://u:p4ss@small:1"),
            ("HTTPS_PROXY", "http://not-this-one:1"),
            ("NO_PROXY", "localhost,10.0.0.0/8"),
        ])
        .unwrap();
        assert_eq!(options.credentials, Some(Credentials::bearer("t0ken")));
        assert_eq!(options.http.tls.trust, Trust::Anybody);
        assert_eq!(options.http.tls.client_certificate, Some("/c.pem".into()));
        assert_eq!((options.http.request_timeout, options.http.max_retries), (Duration::from_secs(9), 3));
        assert_eq!(options.http.backoff, Duration::from_millis(1500));
        let limits = [options.http.connect_timeout, options.http.idle_timeout, options.http.retry_window];
        assert_eq!(limits, [4, 5, 6].map(Duration::from_secs));
        assert_eq!(options.http.concurrency, 2);
        assert_eq!(options.headers().unwrap()["x-mlflow-workspace"], "team-a");
        let multipart = MultipartOptions {
            upload: PassBy::Assumed,
            download: PassBy::Never,
            upload_minimum: 7,
            upload_part_bytes: 8,
            download_part_bytes: 9,
            trust: Trust::Anybody,
        };
        assert_eq!(options.multipart, multipart);
        assert_eq!(read(&[]).unwrap().multipart, MultipartOptions::default());
        let proxies = &options.http.proxies;
        assert_eq!(proxies.http.as_deref(), Some("http://u:p4ss@in-capitals:1"));
        assert_eq!(proxies.https.as_deref(), Some("http://u:p4ss@small:1"));
        assert_eq!(proxies.except, "localhost,10.0.0.0/8");
        let printed = format!("{options:?}");
        assert!(!printed.contains("t0ken") && !printed.contains("p4ss"), "{printed}");
    }

    #[test]
    fn a_user_name_with_password_comes_before_a_token_and_the_environment_before_the_file() {
        let home = tempfile::tempdir().unwrap();
        let home_path = home.path().to_str().unwrap();
        std::fs::create_dir(home.path().join(".mlflow")).unwrap();
        let file = "[mlflow]\nmlflow_tracking_username = filed\nmlflow_tracking_password = pw\n";
        std::fs::write(home.path().join(".mlflow/credentials"), file).unwrap();
        let check = |variables: &[(&str, &str)], expected: Option<Credentials>| {
            assert_eq!(read(variables).unwrap().credentials, expected, "{variables:?}");
        };
        let user = ("MLFLOW_TRACKING_USERNAME", "ann");
        let token = ("MLFLOW_TRACKING_TOKEN", "t");
        check(&[], None);
        check(&[user], None);
        check(&[user, token], Some(Credentials::bearer("t")));
        check(&[user, ("MLFLOW_TRACKING_PASSWORD", "x"), token], Some(Credentials::basic("ann", "x")));
        check(&[("HOME", home_path), token], Some(Credentials::basic("filed", "pw")));
        check(&[("HOME", home_path), user], Some(Credentials::basic("ann", "pw")));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for variable in [
            ("MLFLOW_HTTP_REQUEST_TIMEOUT", "0"),
            ("MLFLOW_HTTP_REQUEST_TIMEOUT", "-1"),
            ("MLFLOW_HTTP_REQUEST_TIMEOUT", "NaN"),
            ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "11"),
            ("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "inf"),
            ("MARTELLO_REGISTRY_CONCURRENCY", "0"),
            ("MARTELLO_REGISTRY_IDLE_TIMEOUT", "0"),
            ("MLFLOW_TRACKING_INSECURE_TLS", "maybe"),
            ("MLFLOW_TRACKING_AWS_SIGV4", "true"),
            ("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "sometimes"),
            ("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", "0"),
            ("MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE", "-1"),
        ] {
            assert!(read(&[variable]).unwrap_err().to_string().contains(variable.0), "{variable:?}");
        }
        let both = [("MLFLOW_TRACKING_INSECURE_TLS", "1"), ("MLFLOW_TRACKING_SERVER_CERT_PATH", "/x.pem")];
        assert_eq!(read(&both).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}
