//! How a [`Balancer`] is set up.

use std::{sync::Arc, time::Duration};

use http::Method;
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use super::{AdmissionLimits, Balancer, HttpBalance, Replicas, Upstream, admission::Gate, listener::listen};
use crate::{
    Balance, ConnectionStats, EndpointConfig, Error, Http, OutlierDetection, Probe, ProxyRules, RetryBudget,
    ServerConfig, StatusPaths, TryTimeout,
    discovery::{Discover, Dns, Fixed, follow_from},
    health::Prober,
    policy::PolicyKind,
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
    server: ServerConfig,
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
            server: ServerConfig::default(),
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

    /// Sets what is told to replicas about clients.
    #[must_use]
    pub fn proxy(mut self, rules: ProxyRules) -> Self {
        self.proxy = rules;
        self
    }

    /// Sets the limits and timeouts towards clients.
    #[must_use]
    pub fn server(mut self, config: ServerConfig) -> Self {
        self.server = config;
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
        let listener = listen(&self.listen).await?;
        let local_addr = listener.local_addr().map_err(|error| {
            Error::new(crate::ErrorKind::Local, "the listener has no address").because(error)
        })?;
        let balance = self.balance();
        let replicas = Replicas::new(balance.endpoints(), self.endpoint.clone());
        let mut tasks = JoinSet::new();
        discover(&upstreams, &balance, &replicas, &mut tasks).await;
        tasks.spawn(Prober::new(Arc::clone(balance.set()), self.probe).run());
        Ok(Balancer {
            listener,
            local_addr,
            balance,
            replicas,
            paths: self.paths,
            proxy: self.proxy,
            server: self.server,
            stats: ConnectionStats::new(),
            gate: Gate::new(self.admission),
            tasks,
        })
    }

    fn balance(&self) -> HttpBalance {
        Balance::builder()
            .protocol(self.http.clone())
            .outlier_detection(self.outliers)
            .retry_budget(self.budget)
            .max_tries(self.max_tries)
            .try_timeout(self.try_timeout)
            .slow_start(self.slow_start)
            .recheck(self.probe.recheck())
            .build(self.policy, std::iter::empty::<(String, _)>())
    }
}

/// Starts to follow every upstream, and waits for the first replicas as long as a lookup may take.
async fn discover(
    upstreams: &[Upstream],
    balance: &HttpBalance,
    replicas: &Replicas,
    tasks: &mut JoinSet<()>,
) {
    let (started, mut all_started) = mpsc::channel::<()>(1);
    for upstream in upstreams {
        let started = started.clone();
        match upstream {
            Upstream::Address(address) => spawn(Fixed::new([*address]), replicas, started, tasks),
            Upstream::Name { host, port } => {
                let nudge = Arc::clone(&balance.set().lost_connection);
                spawn(Dns::new(host.as_str(), *port).nudged_by(nudge), replicas, started, tasks);
            }
        }
    }
    drop(started);
    // Ends when the last sender is gone: nothing is ever sent.
    if timeout(Dns::LATE, all_started.recv()).await.is_err() {
        tracing::warn!("an upstream's name could not be looked up yet; starting without it");
    }
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
