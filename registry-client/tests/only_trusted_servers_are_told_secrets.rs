//! TLS with an authority of one's own: who it did not sign is told nothing, who it did is told the credentials, each kind as it should
//! be.
#![cfg(feature = "rest")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use martello_registry_client::rest::{Credentials, HttpOptions, RestOptions, TlsOptions, Trust};
use martello_registry_client::{Registry, Run};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const RUN: &str = r#"{"run":{"info":{"run_id":"r","experiment_id":"0","status":"RUNNING"}}}"#;

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

/// A server that speaks TLS, answers everything with one run, and remembers the headers.
struct Server {
    host: &'static str,
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(host: &'static str) -> Self {
        let certificates = CertificateDer::pem_file_iter(file("server.pem"))
            .unwrap()
            .collect::<Result<Vec<_>, _>>()
            .unwrap();
        let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .unwrap();
        let (config, heard) = (Arc::new(config), Arc::new(Mutex::new(Vec::new())));
        let listener = TcpListener::bind((host, 0)).unwrap();
        let (port, record) = (listener.local_addr().unwrap().port(), heard.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let session = ServerConnection::new(config.clone()).unwrap();
                // A client that trusts nobody here breaks off during the handshake.
                let _ = answer(StreamOwned::new(session, stream), &record);
            }
        });
        Self { host, port, heard }
    }

    async fn run(&self, trust: Trust, credentials: Credentials) -> Result<Run, String> {
        let tls = TlsOptions { trust, ..TlsOptions::default() };
        let http =
            HttpOptions { tls, max_retries: 1, backoff: Duration::from_millis(1), ..HttpOptions::default() };
        let options = RestOptions { credentials: Some(credentials), http, ..RestOptions::default() };
        let registry = Registry::mlflow(&format!("https://{}:{}", self.host, self.port), options).unwrap();
        registry.tracking().get_run("r").await.map_err(|error| {
            let mut told = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                told.push_str(&format!(": {error}"));
                cause = error.source();
            }
            told
        })
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

fn answer(stream: impl Read + Write, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        heard.lock().unwrap().push(line.trim().to_owned());
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    write!(stream.get_mut(), "{head}content-length: {}\r\n\r\n{RUN}", RUN.len())?;
    stream.get_mut().flush()
}

#[tokio::test]
async fn a_server_that_our_authority_signed_is_told_the_credentials() {
    let server = Server::start("127.0.0.1");
    for (credentials, header) in [
        (Credentials::basic("ann", "pass:word"), "authorization: Basic YW5uOnBhc3M6d29yZA=="),
        (Credentials::bearer("abc.def"), "authorization: Bearer abc.def"),
    ] {
        let run = server.run(Trust::Pem(file("authority.pem")), credentials).await.unwrap();
        assert_eq!(run.run_id, "r");
        let heard = server.heard();
        assert_eq!(heard.iter().filter(|it| it.as_str() == header).count(), 1, "{heard:?}");
    }
    server.run(Trust::Anybody, Credentials::bearer("t")).await.unwrap();
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_told_nothing() {
    // The certificate is for 127.0.0.1 alone.
    for (host, trust) in [("127.0.0.1", Trust::System), ("127.0.0.2", Trust::Pem(file("authority.pem")))] {
        let server = Server::start(host);
        let error = server.run(trust, Credentials::bearer("s3cret")).await.unwrap_err();
        assert!(error.contains("certificate") && !error.contains("s3cret"), "{host}: {error}");
        assert_eq!(server.heard(), Vec::<String>::new());
    }
}
