//! The HTTP client of the exporter, on the HTTP and TLS that the workspace has anyway.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;

/// The most of an answer that is read: a collector answers with a few bytes.
const MOST_OF_AN_ANSWER: usize = 64 << 10;

type Inner = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client whose requests are carried by the runtime in which it was made, whoever waits for them: the exporter waits on a
/// thread of its own, which has none.
#[derive(Debug, Clone)]
pub(super) struct Client {
    runtime: Handle,
    inner: Inner,
}

impl Client {
    pub(super) fn new() -> Self {
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls()).https_or_http().enable_http1().build();
        Self {
            runtime: Handle::current(),
            inner: legacy::Client::builder(TokioExecutor::new()).build(connector),
        }
    }
}

fn tls() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the versions that are default")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

impl HttpClient for Client {
    fn send_bytes<'client, 'future>(
        &'client self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'future>>
    where
        'client: 'future,
        Self: 'future,
    {
        let answer = self.inner.request(request.map(Full::new));
        let task = self.runtime.spawn(async move {
            let (head, body) = answer.await?.into_parts();
            let body = Limited::new(body, MOST_OF_AN_ANSWER).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        });
        Box::pin(async move { task.await? })
    }
}
