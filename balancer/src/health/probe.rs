//! What an active probe asks.

use std::{fmt, num::NonZeroU32, ops::RangeInclusive, time::Duration};

use http::{Request, Uri, header};
use tokio::{net::TcpStream, time::timeout};
use tower::ServiceExt;

use crate::{Body, EndpointConfig, Error, ErrorKind, HttpEndpoint};

/// How endpoints are probed.
///
/// ```
/// use martello_balancer::Probe;
///
/// let mut probe = Probe::http("/health")?;
/// probe.interval = std::time::Duration::from_millis(500);
/// assert!(Probe::http("no slash").is_err());
/// # Ok::<(), martello_balancer::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// What is asked.
    pub target: ProbeTarget,
    /// The time between two probes of an endpoint. One second by default: nobody waits longer for a replica
    /// that is back, and at ten replicas it is ten small requests a second.
    pub interval: Duration,
    /// How long a probe may take. Two seconds by default: a replica that is merely busy answers within.
    pub timeout: Duration,
    /// Failed probes in a row that take an endpoint out. Three by default: one may be lost, and what real
    /// requests see ejects sooner.
    pub unhealthy_after: NonZeroU32,
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProbeTarget {
    /// Whether the endpoint takes a connection. Asked of newcomers, and of endpoints that were ejected for failing to:
    /// of an endpoint that answers requests wrongly it says nothing.
    Connect,
    /// A `GET` of this path, of every endpoint, whose answer must have one of these statuses.
    Http {
        /// The path, with a query if there is one.
        path: Uri,
        /// The statuses of a healthy answer.
        expected: RangeInclusive<u16>,
    },
}

impl Probe {
    /// Asks whether an endpoint takes a connection.
    pub fn connect() -> Self {
        Self {
            target: ProbeTarget::Connect,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(2),
            unhealthy_after: NonZeroU32::MIN.saturating_add(2),
        }
    }

    /// Asks for a path, whose answer must have a status from 200 to 299.
    ///
    /// # Errors
    /// If it is not a path that begins with a slash.
    pub fn http(path: &str) -> Result<Self, Error> {
        let unusable = |why: &str| {
            let why = format!("{path:?} {why}: give one such as \"/health\"");
            Error::new(ErrorKind::Local, "the probe's path cannot be used").because(why)
        };
        let uri: Uri = path.parse().map_err(|_| unusable("is not a path"))?;
        if uri.authority().is_some() || !path.starts_with('/') {
            return Err(unusable("does not begin with a slash"));
        }
        Ok(Self { target: ProbeTarget::Http { path: uri, expected: 200..=299 }, ..Self::connect() })
    }

    /// Probes an endpoint once, on a connection of its own.
    pub(super) async fn ask(&self, endpoint: &HttpEndpoint) -> Result<(), String> {
        match timeout(self.timeout, self.target.ask(endpoint, self.timeout)).await {
            Ok(result) => result,
            Err(_) => Err(format!("probe {} took longer than {:?}", self.target, self.timeout)),
        }
    }
}

impl ProbeTarget {
    async fn ask(&self, endpoint: &HttpEndpoint, limit: Duration) -> Result<(), String> {
        match self {
            Self::Connect => {
                let connected = TcpStream::connect(endpoint.address()).await;
                connected.map(drop).map_err(|error| format!("probe {self}: {error}"))
            }
            Self::Http { path, expected } => {
                let status =
                    get(endpoint, path, limit).await.map_err(|error| format!("probe {self}: {error}"))?;
                let healthy = expected.contains(&status);
                if healthy { Ok(()) } else { Err(format!("probe {self} answered {status}")) }
            }
        }
    }
}

/// Asks on a new connection: one that is kept would hide that no other can be made.
async fn get(endpoint: &HttpEndpoint, path: &Uri, limit: Duration) -> Result<u16, Error> {
    let address = endpoint.address();
    let config = EndpointConfig {
        connect_timeout: limit,
        progress_timeout: limit,
        max_idle: 0,
        ..EndpointConfig::default()
    };
    let request = Request::get(path.clone())
        .header(header::HOST, address.to_string())
        .header(header::USER_AGENT, "martello-balancer")
        .body(Body::empty())
        .map_err(|error| Error::new(ErrorKind::Local, "could not make a probe").because(error))?;
    Ok(HttpEndpoint::new(address, config).oneshot(request).await?.status().as_u16())
}

impl fmt::Display for ProbeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connect"),
            Self::Http { path, .. } => write!(f, "GET {path}"),
        }
    }
}
