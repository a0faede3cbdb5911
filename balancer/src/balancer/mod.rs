//! The balancer as a whole: a listener, the rules of HTTP, and replicas behind them.

mod admission;
mod builder;
mod descriptors;
mod explained;
mod front;
mod hand_over;
mod listener;
mod replicas;
mod status;
mod timely;
mod upstream;

use std::{future::Future, net::SocketAddr, os::fd::AsFd, sync::Arc};

use tokio::{net::TcpListener, sync::oneshot, task::JoinSet};

use self::{
    admission::{Admission, Gate},
    explained::Explained,
    front::Front,
    hand_over::HandOver,
    timely::{PathTimeouts, Timely},
};
pub use self::{
    admission::{AdmissionCounts, AdmissionLimits},
    builder::BalancerBuilder,
    replicas::Replicas,
    status::Status,
    upstream::Upstream,
};
use crate::{
    AdminConfig, Balance, ConnectionStats, Error, Http, HttpEndpoint, Proxy, ProxyRules, ServerConfig,
    StatusPaths,
    access_log::{LogWriter, Logged},
    admin::AdminService,
    discovery::{self, Discover},
    h1::Keep,
    policy::PolicyKind,
    server,
};

/// A [`Balance`] over replicas that speak HTTP.
pub type HttpBalance = Balance<HttpEndpoint, PolicyKind, Http>;

/// A load balancer that listens: HTTP/1.1 in, HTTP/1.1 out to whichever replica the policy picks.
///
/// ```no_run
/// use martello_balancer::{Balancer, policy::PolicyKind};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let balancer = Balancer::builder()
///     .listen("0.0.0.0:8000")
///     .upstream("replica:8000") // as many replicas as the name has addresses, now and later
///     .upstream("127.0.0.1:9001")
///     .policy(PolicyKind::RoundRobin)
///     .bind()
///     .await?;
/// println!("http://{}", balancer.local_addr());
/// balancer.serve(async { let _ = tokio::signal::ctrl_c().await; }).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Balancer {
    listener: TcpListener,
    local_addr: SocketAddr,
    balance: HttpBalance,
    replicas: Replicas,
    paths: StatusPaths,
    proxy: ProxyRules,
    timeouts: PathTimeouts,
    server: ServerConfig,
    stats: ConnectionStats,
    gate: Gate,
    hand_over: Option<HandOver>,
    admin: Option<(TcpListener, AdminConfig)>,
    log: Option<LogWriter>,
    /// Discovery and probes, which end with the balancer.
    tasks: JoinSet<()>,
}

impl Balancer {
    /// Returns a builder.
    pub fn builder() -> BalancerBuilder {
        BalancerBuilder::default()
    }

    /// Returns the address that the balancer listens on; with the port that it was given, if it asked for
    /// any.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Returns the address of the admin API, if there is one.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(|(listener, _)| listener.local_addr().ok())
    }

    /// Returns a handle that shows what the balancer is doing.
    pub fn status(&self) -> Status {
        Status::new(self.balance.clone(), self.stats.clone(), self.gate.clone(), self.log.clone())
    }

    /// Returns a handle that adds, drains and removes replicas.
    pub fn endpoints(&self) -> Replicas {
        self.replicas.clone()
    }

    /// Lets a source of your own add and drain replicas, beside the upstreams that the builder was given.
    pub fn follow(&mut self, source: impl Discover<Endpoint = SocketAddr>) {
        let replicas = self.replicas.clone();
        self.tasks.spawn(async move {
            discovery::follow(source, replicas.endpoints().clone(), |address| replicas.connect(address))
                .await;
        });
    }

    /// Serves until `shutdown` resolves, then finishes the requests that are under way and returns.
    ///
    /// # Errors
    /// None at present: what can go wrong with one connection ends that one alone.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let (stop, stopped) = oneshot::channel();
        let told = async {
            shutdown.await;
            // Nobody hears it when serving has ended already.
            let _ = stop.send(());
            std::future::pending::<()>().await
        };
        tokio::select! {
            result = self.serve_until(stopped) => result,
            () = told => Ok(()),
        }
    }

    /// Not generic, so that the way of a request is compiled as a part of this crate.
    async fn serve_until(mut self, stopped: oneshot::Receiver<()>) -> Result<(), Error> {
        let shutdown = async {
            // A sender that is gone means the same.
            let _ = stopped.await;
        };
        if let Some((listener, config)) = self.admin.take() {
            let service = AdminService::new(self.endpoints(), self.status(), config.token().cloned());
            let (limits, stats) = (AdminConfig::server(), ConnectionStats::new());
            let api = move |_| service.clone();
            self.tasks.spawn(server::serve(listener, api, limits, stats, std::future::pending()));
        }
        let (status, paths) = (self.status(), Arc::new(self.paths));
        let balance = Explained::new(Timely::new(self.balance, self.timeouts));
        let (rules, gate) = (self.proxy, self.gate);
        let log = self.log;
        // The log looks at fields.
        let keep = if log.is_some() { Keep::Map } else { Keep::Verbatim };
        let front = |peer: SocketAddr| {
            let proxy = Proxy::new(balance.clone(), peer, rules);
            let front = Front::new(Admission::new(proxy, gate.clone()), Arc::clone(&paths), status.clone());
            Logged::new(front, log.clone(), peer.ip(), rules.trusted_hops)
        };
        let (notice, grace) = (self.server.drain_notice, self.server.drain_grace);
        let listener = self.listener.as_fd().try_clone_to_owned();
        let end = async move {
            match (self.hand_over, listener) {
                (Some(hand_over), Ok(listener)) => tokio::select! {
                    () = shutdown => notice,
                    // The port is served: idle clients may have all the time there is to come back by themselves.
                    () = hand_over.serve(listener) => grace,
                },
                _ => {
                    shutdown.await;
                    notice
                }
            }
        };
        server::serve_until(keep, self.listener, front, self.server, self.stats, end).await;
        drop(self.tasks);
        Ok(())
    }
}
