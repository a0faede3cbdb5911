//! Proxies on the way to a server, found as curl and Python find them.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use http::uri::Scheme;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::Service;

use crate::config::redact;
use crate::environment::Environment;
use crate::{Error, ErrorKind, Result};

/// Which proxies lead to servers: `http://user:password@host:port` each. `Debug` shows no credentials.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For servers at `http://`.
    pub http: Option<String>,
    /// For servers at `https://`: it makes a tunnel and sees nothing of what goes through.
    pub https: Option<String>,
    /// Hosts that are reached without one: names (with everything below them), addresses and networks between commas, or `*`.
    pub except: String,
}

impl Proxies {
    /// Reads `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in capitals as well, which count less.
    pub(crate) fn read(environment: &Environment<'_>) -> Self {
        let text =
            |name: &str| environment.text(name).or_else(|| environment.text(&name.to_ascii_uppercase()));
        let all = text("all_proxy");
        Self {
            http: text("http_proxy").or_else(|| all.clone()),
            https: text("https_proxy").or(all),
            except: text("no_proxy").unwrap_or_default(),
        }
    }

    /// Returns what tells which proxy leads to a server, if it can be used for this one.
    pub(crate) fn matcher(&self, server: &Uri) -> Result<Arc<Matcher>> {
        let mut builder = Matcher::builder().no(self.except.clone());
        if let Some(http) = &self.http {
            builder = builder.http(http.clone());
        }
        if let Some(https) = &self.https {
            builder = builder.https(https.clone());
        }
        let matcher = builder.build();
        let named = if server.scheme() == Some(&Scheme::HTTPS) { &self.https } else { &self.http };
        match (matcher.intercept(server), named) {
            (Some(proxy), Some(named)) if proxy.uri().scheme() != Some(&Scheme::HTTP) => Err(Error::new(
                ErrorKind::Unsupported,
                format!("the proxy {:?} cannot be used: only http:// ones can", redact(named)),
            )),
            _ => Ok(Arc::new(matcher)),
        }
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("http", &self.http.as_deref().map(redact))
            .field("https", &self.https.as_deref().map(redact))
            .field("except", &self.except)
            .finish()
    }
}

/// Connects to servers, by proxies where they lead to them.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    proxies: Arc<Matcher>,
}

impl Connector {
    pub(crate) fn new(tcp: HttpConnector, proxies: Arc<Matcher>) -> Self {
        Self { tcp, proxies }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Service::poll_ready(&mut self.tcp, cx).map_err(Into::into)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let mut tcp = self.tcp.clone();
        match self.proxies.intercept(&server) {
            None => Box::pin(async move { Ok(Stream { tcp: tcp.call(server).await?, asks_a_proxy: false }) }),
            Some(proxy) if server.scheme() == Some(&Scheme::HTTPS) => Box::pin(async move {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp);
                if let Some(credentials) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(credentials.clone());
                }
                Ok(Stream { tcp: tunnel.call(server).await?, asks_a_proxy: false })
            }),
            Some(proxy) => Box::pin(async move {
                Ok(Stream { tcp: tcp.call(proxy.uri().clone()).await?, asks_a_proxy: true })
            }),
        }
    }
}

/// A connection to a server, or to a proxy that has to be told where each request goes.
#[derive(Debug)]
pub(crate) struct Stream {
    tcp: TokioIo<TcpStream>,
    asks_a_proxy: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.tcp.connected().proxy(self.asks_a_proxy)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, slices)
    }
}
