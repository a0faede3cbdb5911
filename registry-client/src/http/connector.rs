//! Connections: TCP, TLS with rustls over ring, and a pool that lets go before the server does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::header;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::ResponseFuture;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::payload::Outgoing;
use super::proxies::Connector;
use super::{HttpOptions, Server};
use crate::{Error, Result};

/// How long an idle connection is kept: shorter than gunicorn (2 s) and uvicorn (5 s) keep theirs, or a request would meet a
/// connection that is being closed and nobody could tell whether it was read.
const POOL_IDLE: Duration = Duration::from_millis(1500);

/// How much is read from a connection at once: what MLflow's server sends at once. hyper takes a new buffer for each reading that may not
/// fit into what is left of the last one, so with its own choice, 400 KiB, most of the memory that it asks for is never filled.
const READ_BYTES: usize = 64 << 10;

/// hyper's pooled client with this crate's bodies.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pool: hyper_util::client::legacy::Client<HttpsConnector<Connector>, Outgoing>,
    proxies: Arc<Matcher>,
}

impl Client {
    /// Sends a request; a proxy that reads it is told who asks.
    pub(crate) fn request(&self, mut request: http::Request<Outgoing>) -> ResponseFuture {
        if request.uri().scheme() == Some(&Scheme::HTTP)
            && let Some(proxy) = self.proxies.intercept(request.uri())
            && let Some(credentials) = proxy.basic_auth()
        {
            let mut credentials = credentials.clone();
            credentials.set_sensitive(true);
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, credentials);
        }
        self.pool.request(request)
    }
}

/// How a server proves who it is, and how the client does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Which servers are believed.
    pub trust: Trust,
    /// A PEM file with the client's certificate chain and private key, for servers that ask for one.
    pub client_certificate: Option<PathBuf>,
}

/// Which servers are believed.
#[non_exhaustive]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those whose certificate the operating system's authorities signed.
    #[default]
    System,
    /// Those whose certificate an authority in this PEM file, or in the files of this folder, signed.
    Pem(PathBuf),
    /// Everybody, an attacker on the network included: for tests.
    Anybody,
}

/// Returns a client of a server; TLS is looked at only for one that speaks it.
pub(crate) fn client(server: &Server, options: &HttpOptions) -> Result<Client> {
    let proxies = options.proxies.matcher(&server.base()?)?;
    let mut tcp = HttpConnector::new();
    tcp.set_connect_timeout(Some(options.connect_timeout));
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let config = if server.is_tls() { config(&options.tls)? } else { unused()? };
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(Connector::new(tcp, proxies.clone()));
    let pool = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_timer(TokioTimer::new())
        .http1_read_buf_exact_size(READ_BYTES)
        .build(connector);
    Ok(Client { pool, proxies })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn versions() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::invalid("no TLS version can be used").with_source(e))
}

fn unused() -> Result<ClientConfig> {
    Ok(versions()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn config(tls: &TlsOptions) -> Result<ClientConfig> {
    let builder = match &tls.trust {
        Trust::System => {
            versions()?.with_root_certificates(roots(rustls_native_certs::load_native_certs(), "the system")?)
        }
        Trust::Pem(path) => {
            let (file, folder) =
                if path.is_dir() { (None, Some(path.as_path())) } else { (Some(path.as_path()), None) };
            let loaded = rustls_native_certs::load_certs_from_paths(file, folder);
            versions()?.with_root_certificates(roots(loaded, &path.display().to_string())?)
        }
        Trust::Anybody => {
            versions()?.dangerous().with_custom_certificate_verifier(Arc::new(Gullible(provider())))
        }
    };
    let Some(path) = &tls.client_certificate else { return Ok(builder.with_no_client_auth()) };
    let bad = |what: &str| format!("client certificate {}: {what}", path.display());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|e| Error::invalid(bad("no certificate can be read")).with_source(e))?;
    let key = PrivateKeyDer::from_pem_file(path)
        .map_err(|e| Error::invalid(bad("no private key can be read")).with_source(e))?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|e| Error::invalid(bad("it cannot be used")).with_source(e))
}

fn roots(loaded: rustls_native_certs::CertificateResult, place: &str) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(loaded.certs);
    if added > 0 {
        return Ok(roots);
    }
    let error = Error::invalid(format!(
        "no certificate authority found in {place}: install ca-certificates, or set MLFLOW_TRACKING_SERVER_CERT_PATH to a PEM file"
    ));
    Err(match loaded.errors.into_iter().next() {
        Some(cause) => error.with_source(cause),
        None => error,
    })
}

/// Believes every certificate; signatures are still checked, so that a broken handshake is noticed.
#[derive(Debug)]
struct Gullible(Arc<CryptoProvider>);

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
