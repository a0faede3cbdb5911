//! Names asked of name servers, by hickory's resolver: with times to live, and SRV records.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    num::NonZeroU16,
    time::{Duration, Instant},
};

use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts},
    lookup::Lookup,
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{RData, RecordType, rdata::SRV},
    system_conf::read_system_conf,
};

use super::{Found, Resolve};

/// The most targets of one SRV record set that are looked up: far more than anybody balances over, and few enough
/// that a hostile answer is not a flood of queries.
const MOST_TARGETS: usize = 256;

/// The most endpoints of all the targets of a record set: as many as one answer of plain addresses can hold (64 KiB of
/// records with 16 bytes each), so that 256 such answers are not a million endpoints.
const MOST_ENDPOINTS: usize = 4096;

/// The system's name servers (`/etc/resolv.conf`, read anew for every lookup, and `/etc/hosts`), or those that are given.
///
/// A name's A records are its addresses; only where it has none, its AAAA records are. A name that begins with an
/// underscore, such as `_http._tcp.replica`, is asked for SRV records (RFC 2782): the targets of the lowest priority
/// are the replicas, each with its own port and weight.
///
/// Nothing is cached here: how long an answer is good for is for [`Dns`](super::Dns) to say.
#[derive(Debug, Clone)]
pub struct NameServers {
    servers: Vec<SocketAddr>,
    patience: Duration,
}

impl Default for NameServers {
    fn default() -> Self {
        Self { servers: Vec::new(), patience: Self::PATIENCE }
    }
}

impl NameServers {
    /// How long a name server may take for one answer unless something else is set. One second: it stands nearby, and
    /// there are two attempts within the time after which a lookup counts as late.
    pub const PATIENCE: Duration = Duration::from_secs(1);

    /// Returns the system's.
    pub fn system() -> Self {
        Self::default()
    }

    /// Returns these servers, each of which is asked over UDP and, for long answers, over TCP; the system's if there are
    /// none.
    pub fn new(servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self { servers: servers.into_iter().collect(), ..Self::default() }
    }

    /// Sets how long a name server may take for one answer.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    async fn look_up(self, host: String, port: u16) -> Result<Found, NetError> {
        if host.starts_with('_') {
            return self.services(&host).await;
        }
        let (addresses, until) = self.addresses(&host).await?;
        let endpoints =
            addresses.into_iter().map(|address| (SocketAddr::new(address, port), NonZeroU16::MIN));
        Ok(Found { endpoints: endpoints.collect(), time_to_live: Some(left(until)) })
    }

    /// The addresses of a host. That it has no IPv4 address must be certain before the others are used: a server that
    /// fails for a moment would otherwise turn a service from one family to the other.
    async fn addresses(&self, host: &str) -> Result<(Vec<IpAddr>, Instant), NetError> {
        let ask = async |strategy| {
            let found = self.resolver(strategy)?.lookup_ip(host).await?;
            Ok((found.iter().collect(), found.valid_until()))
        };
        match ask(LookupIpStrategy::Ipv4Only).await {
            Err(error) if has_none(&error) => ask(LookupIpStrategy::Ipv6Only).await,
            found => found,
        }
    }

    async fn services(&self, name: &str) -> Result<Found, NetError> {
        let answer = self.resolver(LookupIpStrategy::Ipv4Only)?.lookup(name, RecordType::SRV).await?;
        let mut until = answer.valid_until();
        let mut endpoints = Vec::new();
        for (target, port, weight) in first_choice(&answer) {
            let (addresses, valid_until) = match self.addresses(&target).await {
                Ok(found) => found,
                // One target that is gone takes no other with it; one that cannot be looked up now may not be gone.
                Err(error) if error.is_no_records_found() => continue,
                Err(error) => return Err(error),
            };
            until = until.min(valid_until);
            let room = MOST_ENDPOINTS - endpoints.len();
            let some = addresses.into_iter().take(room);
            endpoints.extend(some.map(|address| (SocketAddr::new(address, port), weight)));
            if endpoints.len() == MOST_ENDPOINTS {
                break;
            }
        }
        Ok(Found { endpoints, time_to_live: Some(left(until)) })
    }

    /// Made anew for every lookup: the system's configuration may have changed, and there is no cache to lose.
    fn resolver(&self, strategy: LookupIpStrategy) -> Result<TokioResolver, NetError> {
        let (config, mut options) = match self.servers.is_empty() {
            true => read_system_conf()?,
            false => (self.configuration(), ResolverOpts::default()),
        };
        options.ip_strategy = strategy;
        options.cache_size = 0;
        options.timeout = self.patience;
        options.attempts = 1;
        Resolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options).build()
    }

    fn configuration(&self) -> ResolverConfig {
        let at = |server: &SocketAddr| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.to_vec())
        };
        ResolverConfig::from_parts(None, Vec::new(), self.servers.iter().map(at).collect())
    }
}

impl Resolve for NameServers {
    fn resolve(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Found>> + Send + 'static {
        let (this, host) = (self.clone(), host.to_owned());
        async move { this.look_up(host, port).await.map_err(explain) }
    }
}

/// The records of the lowest priority: target, port and weight. A weight of zero, "hardly ever" in RFC 2782, counts as one.
fn first_choice(answer: &Lookup) -> Vec<(String, u16, NonZeroU16)> {
    let records = || {
        answer
            .answers()
            .iter()
            .filter_map(|record| if let RData::SRV(srv) = &record.data { Some(srv) } else { None })
    };
    let first = records().map(|srv| srv.priority).min();
    let mut chosen: Vec<_> = records()
        .filter(|srv| Some(srv.priority) == first && is_offered(srv))
        .map(|srv| (srv.target.to_ascii(), srv.port, NonZeroU16::new(srv.weight).unwrap_or(NonZeroU16::MIN)))
        .collect();
    chosen.truncate(MOST_TARGETS);
    chosen
}

/// A target of "." says that the service is decidedly not available (RFC 2782).
fn is_offered(srv: &SRV) -> bool {
    !srv.target.is_root() && srv.port != 0
}

/// Whether a name exists and has no such record.
fn has_none(error: &NetError) -> bool {
    error.is_no_records_found() && !error.is_nx_domain()
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn explain(error: NetError) -> io::Error {
    let error = match &error {
        nx if nx.is_nx_domain() => "there is no such name".into(),
        none if none.is_no_records_found() => "the name has no address".into(),
        _ => error.to_string(),
    };
    io::Error::other(error)
}
