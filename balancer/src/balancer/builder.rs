//! How a [`Balancer`] is set up.

use std::{path::PathBuf, sync::Arc, time::Duration};

use http::Method;
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc},
    task::JoinSet,
    time::timeout,
};

use super::{
    AdmissionLimits, Balancer, HttpBalance, Replicas, Upstream,
    admission::{Gate, Room},
    descriptors,
    hand_over::HandOver,
    listener::listen,
};
#[cfg(feature = "dns")]
use crate::discovery::NameServers;
use crate::{
    AccessLog, AdminConfig, Balance, ConnectionStats, EndpointConfig, Error, ErrorKind, Http,
    OutlierDetection, Probe, ProxyRules, RetryBudget, ServerConfig, StatusPaths, TryTimeout, Via,
    access_log::LogWriter,
    discovery::{Discover, Dns, Fixed, SystemResolver, follow_from},
    health::Prober,
    policy::PolicyKind,
    server,
};

/// Sets up a [`Balancer`].
#[derive(Debug, Clone)]
pub struct BalancerBuilder {
    listen: String,
    upstreams: Vec<String>,
    policy: PolicyKind,
    probe: Probe,
    outliers: OutlierDetection,
    budget: RetryBudget,
    max_tries: u32,
    try_timeout: TryTimeout,
    slow_start: Duration,
    http: Http,
    paths: StatusPaths,
    admission: AdmissionLimits,
    endpoint: EndpointConfig,
    proxy: ProxyRules,
    timeouts: Vec<(String, Duration)>,
    server: ServerConfig,
    names: Names,
    looked_up: (Duration, Duration),
    hand_over: Option<PathBuf>,
    admin: Option<AdminConfig>,
    access_log: Option<AccessLog>,
}

/// Who is asked for names.
#[derive(Debug, Clone)]
enum Names {
    System(SystemResolver),
    #[cfg(feature = "dns")]
    Servers(NameServers),
}

impl Default for BalancerBuilder {
    fn default() -> Self {
        Self {
            listen: Self::DEFAULT_LISTEN.into(),
            upstreams: Vec::new(),
            policy: PolicyKind::default(),
            probe: Probe::connect(),
            outliers: OutlierDetection::default(),
            budget: RetryBudget::default(),
            max_tries: crate::DEFAULT_MAX_TRIES,
            try_timeout: TryTimeout::default(),
            slow_start: Self::DEFAULT_SLOW_START,
            http: Http::default(),
            paths: StatusPaths::default(),
            admission: AdmissionLimits::default(),
            endpoint: EndpointConfig::default(),
            proxy: ProxyRules::default(),
            timeouts: vec![("/health".into(), Self::DEFAULT_HEALTH_TIMEOUT)],
            server: ServerConfig::default(),
            names: Names::System(SystemResolver),
            looked_up: (Dns::FLOOR, Dns::CEILING),
            hand_over: None,
            admin: None,
            access_log: None,
        }
    }
}

impl BalancerBuilder {
    /// Where the balancer listens unless told: on this machine only, at the port of the system that it
    /// replaces. Who wants to be reached from elsewhere says so.
    pub const DEFAULT_LISTEN: &str = "127.0.0.1:8000";

    /// For how long the share of a replica that joins others grows: three seconds. Within them it makes its
    /// connections and warms its caches with a part of the load; longer would only keep the help from arriving.
    pub const DEFAULT_SLOW_START: Duration = Duration::from_secs(3);

    /// How long the answer to a request for `/health` may take to begin: five seconds, as in the system that is replaced.
    pub const DEFAULT_HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

    /// Sets the address to listen on, such as `0.0.0.0:8000`; port 0 takes a free one.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "text and addresses alike read best without a borrow")]
    pub fn listen(mut self, address: impl ToString) -> Self {
        self.listen = address.to_string();
        self
    }

    /// Adds replicas: an address such as `127.0.0.1:9001`, or a name such as `replica:8000` that stands for
    /// all the addresses it has, now and later ([`Upstream`]). More can be added to the running balancer by
    /// [`Balancer::endpoints`].
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "text and addresses alike read best without a borrow")]
    pub fn upstream(mut self, upstream: impl ToString) -> Self {
        self.upstreams.push(upstream.to_string());
        self
    }

    /// Adds several upstreams.
    #[must_use]
    pub fn upstreams<T: ToString>(mut self, upstreams: impl IntoIterator<Item = T>) -> Self {
        self.upstreams.extend(upstreams.into_iter().map(|upstream| upstream.to_string()));
        self
    }

    /// Sets the policy that picks the replica of each request. Round robin by default.
    #[must_use]
    pub fn policy(mut self, policy: PolicyKind) -> Self {
        self.policy = policy;
        self
    }

    /// Sets how replicas are probed. By default an ejected one that took no connections returns when it
    /// takes one again, and one that answered wrongly is tried with a request; give
    /// [`Probe::http`] a path that tells whether a replica can serve, and newcomers get requests once it says so.
    #[must_use]
    pub fn probe(mut self, probe: Probe) -> Self {
        self.probe = probe;
        self
    }

    /// Sets when a replica is ejected for its failures.
    #[must_use]
    pub fn outlier_detection(mut self, outliers: OutlierDetection) -> Self {
        self.outliers = outliers;
        self
    }

    /// Sets how many retries there may be.
    #[must_use]
    pub fn retry_budget(mut self, budget: RetryBudget) -> Self {
        self.budget = budget;
        self
    }

    /// Sets how many attempts one request may make, the first included.
    #[must_use]
    pub fn max_tries(mut self, tries: u32) -> Self {
        self.max_tries = tries;
        self
    }

    /// Sets how long an attempt may take before a request that may be repeated is tried elsewhere.
    #[must_use]
    pub fn try_timeout(mut self, limit: TryTimeout) -> Self {
        self.try_timeout = limit;
        self
    }

    /// Sets for how long the share of a replica that joins others grows, from a tenth to the whole.
    /// [`Self::DEFAULT_SLOW_START`] by default; zero gives it the whole at once.
    #[must_use]
    pub fn slow_start(mut self, lasts: Duration) -> Self {
        self.slow_start = lasts;
        self
    }

    /// Sets the largest request body, in bytes, that is kept to be sent again.
    #[must_use]
    pub fn replay_bytes(mut self, bytes: usize) -> Self {
        self.http = self.http.replay_bytes(bytes);
        self
    }

    /// Takes `POST`s to this path for pure functions, for replicas that do not say so themselves: they may
    /// then be repeated even after they were sent.
    #[must_use]
    pub fn assume_pure(mut self, path: &str) -> Self {
        self.http = self.http.assume_pure(&Method::POST, path);
        self
    }

    /// Sets how long the answers to requests for certain paths may take to begin, all attempts together. What takes longer is
    /// answered with 504, and counts against the replica that was asked last. [`Self::DEFAULT_HEALTH_TIMEOUT`] for `/health`
    /// unless told; other paths have what [`EndpointConfig::progress_timeout`] gives each attempt.
    #[must_use]
    pub fn timeouts_at<T: Into<String>>(mut self, timeouts: impl IntoIterator<Item = (T, Duration)>) -> Self {
        self.timeouts = timeouts.into_iter().map(|(path, timeout)| (path.into(), timeout)).collect();
        self
    }

    /// Adds `martello-endpoint` and `martello-tries` to every answer. Off by default: where replicas are is
    /// nobody's business outside.
    #[must_use]
    pub fn with_route_headers(mut self) -> Self {
        self.http = self.http.with_route_headers();
        self
    }

    /// Sets the paths that the balancer answers itself.
    #[must_use]
    pub fn status_paths(mut self, paths: StatusPaths) -> Self {
        self.paths = paths;
        self
    }

    /// Sets how many requests may be under way at once, and how many may wait for how long.
    #[must_use]
    pub fn admission(mut self, limits: AdmissionLimits) -> Self {
        self.admission = limits;
        self
    }

    /// Sets the limits and timeouts towards replicas.
    #[must_use]
    pub fn endpoint(mut self, config: EndpointConfig) -> Self {
        self.endpoint = config;
        self
    }

    /// Sets how many proxies before this one are believed ([`ProxyRules::trusted_hops`]).
    #[must_use]
    pub fn trusted_hops(mut self, count: u8) -> Self {
        self.proxy.trusted_hops = Some(count);
        self
    }

    /// Tells replicas who asked by `Forwarded` (RFC 7239), too.
    #[must_use]
    pub fn with_forwarded(mut self) -> Self {
        self.proxy.forwarded = true;
        self
    }

    /// Sets the name under which the balancer appears in the `Via` of requests and answers. None by default.
    #[must_use]
    pub fn via(mut self, name: Via) -> Self {
        self.proxy.via = Some(name);
        self
    }

    /// Sets the limits and timeouts towards clients.
    #[must_use]
    pub fn server(mut self, config: ServerConfig) -> Self {
        self.server = config;
        self
    }

    /// Asks these name servers for upstreams' names, honouring times to live and finding SRV records, in place of the
    /// operating system's resolver, which does neither.
    #[cfg(feature = "dns")]
    #[must_use]
    pub fn name_servers(mut self, servers: NameServers) -> Self {
        self.names = Names::Servers(servers);
        self
    }

    /// Sets the least and the longest time after which upstreams' names are looked up again, whatever the time to live
    /// of the answers. [`Dns::FLOOR`] and [`Dns::CEILING`] by default.
    #[must_use]
    pub fn look_up_between(mut self, least: Duration, longest: Duration) -> Self {
        self.looked_up = (least, longest);
        self
    }

    /// Writes a line for every answer. Off by default.
    #[must_use]
    pub fn access_log(mut self, log: AccessLog) -> Self {
        self.access_log = Some(log);
        self
    }

    /// Offers an API that changes the replicas while the balancer runs, on a listener of its own. Off by default.
    #[must_use]
    pub fn admin(mut self, config: AdminConfig) -> Self {
        self.admin = Some(config);
        self
    }

    /// Takes the port over from a balancer that runs with the same path, if there is one, and lets another one take it
    /// over from this one. Nothing is refused and nothing lost: the listening sockets themselves, with whoever
    /// waits to be accepted, go from one process to the other through a Unix socket at this path. The one before answers
    /// what it has, tells its clients to connect again, and ends.
    #[must_use]
    pub fn hand_over(mut self, path: impl Into<PathBuf>) -> Self {
        self.hand_over = Some(path.into());
        self
    }

    /// Listens, and starts to look up and probe replicas. Connections are taken from here on and answered
    /// once [`Balancer::serve`] runs. A name that cannot be looked up yet is no error: it is tried again.
    ///
    /// # Errors
    /// If the port is taken, or an address cannot be used.
    pub async fn bind(self) -> Result<Balancer, Error> {
        let upstreams: Vec<Upstream> =
            self.upstreams.iter().map(|upstream| upstream.parse()).collect::<Result<_, _>>()?;
        let (listener, successor) = match &self.hand_over {
            Some(path) => match HandOver::take(path, &self.listen).await? {
                Some((listener, hand_over)) => (listener, Some(hand_over)),
                None => (listen(&self.listen).await?, Some(HandOver::first(path))),
            },
            None => (listen(&self.listen).await?, None),
        };
        let local_addr = listener
            .local_addr()
            .map_err(|error| Error::new(ErrorKind::Local, "the listener has no address").because(error))?;
        let balance = self.balance();
        let replicas = Replicas::new(balance.endpoints(), self.endpoint.clone());
        let mut tasks = JoinSet::new();
        self.discover(&upstreams, &balance, &replicas, &mut tasks).await?;
        tasks.spawn(Prober::new(Arc::clone(balance.set()), self.probe).run());
        let (mut server, mut admission) = (self.server, self.admission);
        descriptors::fit(&mut server, &mut admission);
        let set = Arc::clone(balance.set());
        let places = move || {
            let view = set.view();
            Room { ready: view.ready.len(), elsewhere: view.in_flight_elsewhere() }
        };
        let gate = Gate::new(admission, Box::new(places));
        let admin = match &self.admin {
            Some(config) => Some((listen_for_operators(config, self.hand_over.is_some())?, config.clone())),
            None => None,
        };
        let log = self.access_log.as_ref().map(LogWriter::open).transpose();
        let log = log.map_err(|error| {
            Error::new(ErrorKind::Local, "the access log cannot be opened").because(error)
        })?;
        Ok(Balancer {
            listener,
            local_addr,
            balance,
            replicas,
            paths: self.paths,
            proxy: self.proxy,
            timeouts: self.timeouts.into(),
            server,
            stats: ConnectionStats::new(),
            gate,
            hand_over: successor,
            admin,
            log,
            tasks,
        })
    }

    /// Starts to follow every upstream, and waits for the first replicas as long as a lookup may take.
    async fn discover(
        &self,
        upstreams: &[Upstream],
        balance: &HttpBalance,
        replicas: &Replicas,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), Error> {
        let (started, mut all_started) = mpsc::channel::<()>(1);
        let nudge = &balance.set().lost_connection;
        for upstream in upstreams {
            let started = started.clone();
            match upstream {
                Upstream::Address(address) => spawn(Fixed::new([*address]), replicas, started, tasks),
                Upstream::Name { host, port } => self.follow(host, *port, nudge, replicas, started, tasks),
                Upstream::Service { name } if !self.finds_services() => {
                    let why = format!(
                        "{name} is a name with SRV records, which the system's resolver cannot find; use name servers (feature `dns`)"
                    );
                    return Err(Error::new(ErrorKind::Local, "an upstream cannot be used").because(why));
                }
                Upstream::Service { name } => self.follow(name, 0, nudge, replicas, started, tasks),
            }
        }
        drop(started);
        // Ends when the last sender is gone: nothing is ever sent.
        if timeout(Dns::LATE, all_started.recv()).await.is_err() {
            tracing::warn!("an upstream's name could not be looked up yet; starting without it");
        }
        Ok(())
    }

    fn finds_services(&self) -> bool {
        !matches!(self.names, Names::System(_))
    }

    fn follow(
        &self,
        host: &str,
        port: u16,
        nudge: &Arc<Notify>,
        replicas: &Replicas,
        started: mpsc::Sender<()>,
        tasks: &mut JoinSet<()>,
    ) {
        let (least, longest) = self.looked_up;
        match &self.names {
            Names::System(resolver) => {
                let dns = Dns::with_resolver(*resolver, host, port).between(least, longest);
                spawn(dns.nudged_by(Arc::clone(nudge)), replicas, started, tasks);
            }
            #[cfg(feature = "dns")]
            Names::Servers(servers) => {
                let dns = Dns::with_resolver(servers.clone(), host, port).between(least, longest);
                spawn(dns.nudged_by(Arc::clone(nudge)), replicas, started, tasks);
            }
        }
    }

    fn balance(&self) -> HttpBalance {
        let http = self.http.clone();
        Balance::builder()
            .protocol(if self.access_log.is_some() { http.telling_log() } else { http })
            .outlier_detection(self.outliers)
            .retry_budget(self.budget)
            .max_tries(self.max_tries)
            .most_in_flight(self.admission.per_endpoint)
            .try_timeout(self.try_timeout)
            .slow_start(self.slow_start)
            .recheck(self.probe.recheck())
            .build(self.policy, std::iter::empty::<(String, _)>())
    }
}

/// Two balancers share the admin API's port while one takes over from the other.
fn listen_for_operators(config: &AdminConfig, shared: bool) -> Result<TcpListener, Error> {
    let on = config.listen();
    let listening = if shared { server::listen_beside(on) } else { server::listen(on) };
    listening.map_err(|error| {
        let why = format!("{on}: {error}");
        Error::new(ErrorKind::Local, "could not listen for the admin API").because(why)
    })
}

fn spawn<D>(source: D, replicas: &Replicas, started: mpsc::Sender<()>, tasks: &mut JoinSet<()>)
where
    D: Discover<Endpoint = std::net::SocketAddr>,
{
    let replicas = replicas.clone();
    tasks.spawn(async move {
        let endpoints = replicas.endpoints().clone();
        follow_from(source, endpoints, |address| replicas.connect(address), move || drop(started)).await;
    });
}
