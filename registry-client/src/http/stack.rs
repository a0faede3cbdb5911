//! The layers put together.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, header};
use serde::de::DeserializeOwned;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::util::{BoxCloneSyncService, MapRequestLayer};
use tower::{ServiceBuilder, ServiceExt};

use super::connector::{self, Client, TlsOptions};
use super::proxies::Proxies;
use super::reply::Reply;
use super::retry::RetryPolicy;
use super::timeout::TimeoutLayer;
use super::trace::TraceLayer;
use super::wire::Wire;
use super::{Call, Credentials, Failure, Safety, Server};
use crate::{Error, ErrorKind, Result};

/// How the client behaves towards a server. The defaults are MLflow's where MLflow has one.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpOptions {
    /// How long one attempt may take; transfers of files get more by their size. MLflow's default, 120 s: its server answers
    /// some calls only after the database has.
    pub request_timeout: Duration,
    /// How often a call is tried again. MLflow's default, 7.
    pub max_retries: u32,
    /// The longest first wait before another attempt; it doubles with each and is drawn evenly from nothing to that.
    /// 250 ms: seven retries then spread over the retry window. (MLflow waits 2 s, 4 s, 8 s, ... .)
    pub backoff: Duration,
    /// No attempt begins later than this after the first; 30 s, the time a server takes to restart. A call so ends within this
    /// and one request timeout.
    pub retry_window: Duration,
    /// How long a connection may take; 10 s, three times what a lost first packet costs.
    pub connect_timeout: Duration,
    /// How long a transfer may stand still; 60 s, the patience of common reverse proxies.
    pub idle_timeout: Duration,
    /// How many calls are in flight at a time; 16, four times the workers of `mlflow server`.
    pub concurrency: usize,
    /// How servers are believed.
    pub tls: TlsOptions,
    /// Which proxies lead to servers; none, unless the environment names some.
    pub proxies: Proxies,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(120),
            max_retries: 7,
            backoff: Duration::from_millis(250),
            retry_window: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            concurrency: 16,
            tls: TlsOptions::default(),
            proxies: Proxies::default(),
        }
    }
}

/// A client of one server: cheap to clone, one pool of connections.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    service: BoxCloneSyncService<Call, Reply, Failure>,
    client: Client,
    server: Arc<Server>,
    options: Arc<HttpOptions>,
}

impl Http {
    /// Returns a client of this server.
    pub(crate) fn new(
        server: Server,
        credentials: Option<&Credentials>,
        headers: &http::HeaderMap,
        options: HttpOptions,
    ) -> Result<Self> {
        let client = connector::client(&server, &options)?;
        let mut headers = headers.clone();
        if let Some(credentials) = credentials {
            headers.insert(header::AUTHORIZATION, credentials.header()?);
        }
        Ok(Self::stack(client, Arc::new(server), headers, Arc::new(options)))
    }

    /// Returns a client of another server, which is told nothing about who asks.
    pub(crate) fn elsewhere(&self, authority: &str) -> Result<Self> {
        let server = self.server.elsewhere(authority)?;
        Ok(Self::stack(self.client.clone(), Arc::new(server), http::HeaderMap::new(), self.options.clone()))
    }

    fn stack(
        client: Client,
        server: Arc<Server>,
        mut headers: http::HeaderMap,
        options: Arc<HttpOptions>,
    ) -> Self {
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("martello/", env!("CARGO_PKG_VERSION"))),
        );
        let retry = RetryPolicy {
            max_retries: options.max_retries,
            backoff: options.backoff,
            window: options.retry_window,
            retried: 0,
        };
        let service = ServiceBuilder::new()
            .layer(TraceLayer)
            .retry(retry)
            .layer(GlobalConcurrencyLimitLayer::new(options.concurrency.max(1)))
            .layer(TimeoutLayer::new(options.request_timeout))
            .layer(MapRequestLayer::new(move |mut call: Call| {
                call.headers.extend(headers.clone());
                call
            }))
            .service(Wire::new(client.clone(), server.clone()));
        Self { service: BoxCloneSyncService::new(service), client, server, options }
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    pub(crate) fn options(&self) -> &HttpOptions {
        &self.options
    }

    /// Sends a call, again where that is safe, and returns the answer.
    pub(crate) async fn send(&self, call: Call) -> Result<Reply> {
        let (doing, safety) = (call.doing.clone(), call.safety);
        self.attempt(call).await.map_err(|failure| match safety {
            Safety::Repeatable => failure.error,
            Safety::Once => failure.into_error_of_once(&doing),
        })
    }

    /// Sends a call and reads the answer as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T> {
        let doing = call.doing.clone();
        let bytes = self.send(call).await?.into_bytes();
        serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("cannot {doing}: {} answered something else than MLflow does", self.server);
            Error::new(ErrorKind::Protocol, message).with_source(error)
        })
    }

    async fn attempt(&self, call: Call) -> Result<Reply, Failure> {
        self.service.clone().oneshot(call).await
    }
}
