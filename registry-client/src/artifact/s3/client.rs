//! Calls with a time limit and retries: the minio crate has neither.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use minio::s3::creds::StaticProvider;
use minio::s3::error::Error as S3Error;
use minio::s3::http::BaseUrl;
use minio::s3::types::{Region, S3Api};
use minio::s3::{MinioClient, MinioClientBuilder};
use tokio::time::{Instant, sleep, timeout};

use super::failure::{self, judge};
use super::{Addressing, S3Options};
use crate::config::redact;
use crate::http::full_jitter;
use crate::rest::Trust;
use crate::{Error, ErrorKind, Result};

/// No attempt begins later than this after the first: the time a server takes to restart.
const RETRY_WINDOW: Duration = Duration::from_secs(30);

/// A transfer slower than this many bytes a second counts as dead: a tenth of a slow office line.
const MIN_BYTES_PER_SECOND: u64 = 128 << 10;

/// An object, or with a `/` behind it a folder, in a bucket.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) bucket: String,
    pub(super) key: String,
}

/// A client of one S3 server: cheap to clone.
#[derive(Clone)]
pub(super) struct Client {
    minio: MinioClient,
    options: Arc<S3Options>,
}

impl Client {
    pub(super) fn new(options: S3Options) -> Result<Self> {
        let base = base_url(&options)?;
        let provider = options
            .credentials
            .as_ref()
            .map(|it| StaticProvider::new(&it.access_key, &it.secret_key, it.session_token.as_deref()));
        let (bundle, ignore) = match &options.trust {
            Trust::Pem(path) => (Some(path.as_path()), None),
            Trust::Anybody => (None::<&Path>, Some(true)),
            Trust::System => (None, None),
        };
        let minio = MinioClientBuilder::new(base)
            .provider(provider)
            .ssl_cert_file(bundle)
            .ignore_cert_check(ignore)
            .skip_region_lookup(true)
            .build()
            .map_err(|e| {
                Error::invalid("the S3 client cannot be set up: check the CA bundle").with_source(e)
            })?;
        Ok(Self { minio, options: Arc::new(options) })
    }

    pub(super) fn minio(&self) -> &MinioClient {
        &self.minio
    }

    pub(super) fn options(&self) -> &S3Options {
        &self.options
    }

    /// Does something that may be done again, until it succeeds, fails for good or takes too long. `bytes` says how many it
    /// moves, which makes it take longer.
    pub(super) async fn call<T, F>(
        &self,
        doing: &str,
        bytes: u64,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T, S3Error>>,
    {
        let (begun, extra) = (Instant::now(), Duration::from_secs(bytes / MIN_BYTES_PER_SECOND));
        let limit = self.options.request_timeout + extra;
        for retried in 0.. {
            let (error, transient) = match timeout(limit, attempt()).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(error)) => {
                    let verdict = judge(&error);
                    (failure::error(doing, verdict.kind, error), verdict.transient)
                }
                Err(_) => (
                    Error::new(ErrorKind::Timeout, format!("cannot {doing}: no answer within {limit:?}")),
                    true,
                ),
            };
            let wait = full_jitter(self.options.backoff, retried);
            let is_late = begun.elapsed() + wait > RETRY_WINDOW + extra;
            if !transient || retried >= self.options.max_retries || is_late {
                return Err(error);
            }
            tracing::debug!(%error, retry = retried + 1, ?wait, "trying again: {doing}");
            sleep(wait).await;
        }
        unreachable!("the loop ends by returning")
    }

    /// Returns the size of an object, if there is one.
    pub(super) async fn size(&self, object: &Object) -> Result<Option<u64>> {
        let answer = self
            .call(&format!("look at {object}"), 0, || async {
                self.minio
                    .stat_object(&*object.bucket, &*object.key)?
                    .build()
                    .send()
                    .await?
                    .size()
                    .map_err(S3Error::from)
            })
            .await;
        match answer {
            Ok(size) => Ok(Some(size)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for Client {
    /// The minio crate prints its credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("options", &self.options).finish()
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

fn base_url(options: &S3Options) -> Result<BaseUrl> {
    let endpoint = match &options.endpoint {
        Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
        None => format!("https://s3.{}.amazonaws.com", options.region),
    };
    let bad = |why: &str| Error::invalid(format!("invalid S3 endpoint {:?}: {why}", redact(&endpoint)));
    if endpoint.contains('@') {
        return Err(bad("credentials do not belong into it"));
    }
    let mut base: BaseUrl = endpoint.parse().map_err(|e| bad("expected http://host:port").with_source(e))?;
    base.region =
        Region::new(&*options.region).map_err(|e| bad("the region cannot be meant").with_source(e))?;
    match options.addressing {
        Addressing::Automatic => {}
        Addressing::Path => base.virtual_style = false,
        Addressing::Virtual => base.virtual_style = true,
    }
    Ok(base)
}
