//! `martello balance`: many replicas look like one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use martello_balancer::discovery::NameServers;
use martello_balancer::policy::PolicyKind;
use martello_balancer::{
    AdminConfig, AdminToken, AdmissionLimits, Balancer, EndpointConfig, Probe, ServerConfig,
};

use crate::output;
use crate::runtime::{shutdown_requested, unless_ended};

/// Balances over replicas, or over any other HTTP servers.
///
/// A name is looked up again and again: replicas that are added or removed later are seen within seconds. A replica
/// that dies loses no request that can safely be repeated.
#[derive(Debug, Args)]
pub(crate) struct Balance {
    /// Address to listen on.
    #[arg(long, env = "MARTELLO_BALANCE_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8000")]
    listen: String,
    /// A replica, host:port. A name may stand for many; one such as _http._tcp.replica is asked for SRV records.
    /// Repeatable.
    #[arg(
        long,
        env = "MARTELLO_UPSTREAMS",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        required = true
    )]
    upstream: Vec<String>,
    /// A name server to ask for the names of replicas, in place of the system's. Repeatable.
    #[arg(long, env = "MARTELLO_DNS_SERVERS", value_name = "ADDRESS", value_delimiter = ',')]
    dns_server: Vec<SocketAddr>,
    /// A Unix socket. The balancer takes the port over from one that runs with the same path, and hands it to one that
    /// is started later: no connection is refused or lost.
    #[arg(long, env = "MARTELLO_HAND_OVER", value_name = "PATH")]
    hand_over: Option<PathBuf>,
    /// Address of the admin API, which adds, drains, weighs and removes replicas; off without it. Other than this
    /// machine's own addresses need a token.
    #[arg(long, env = "MARTELLO_ADMIN_LISTEN", value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// What callers of the admin API must send as Authorization: Bearer TOKEN; better set by the variable, since other
    /// users see arguments.
    #[arg(
        long,
        env = "MARTELLO_ADMIN_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        requires = "admin"
    )]
    admin_token: Option<String>,
    /// How a replica is chosen: round-robin, least-requests, power-of-two-choices, peak-ewma.
    #[arg(long, env = "MARTELLO_POLICY", default_value_t = PolicyKind::default())]
    policy: PolicyKind,
    /// Probe replicas with GET on this path; without it, by connecting only.
    #[arg(long, env = "MARTELLO_PROBE_PATH", value_name = "PATH")]
    probe_path: Option<String>,
    /// A POST on this path changes nothing, so it may be repeated even after it was sent. Replicas of Martello say so
    /// themselves. Repeatable.
    #[arg(long, env = "MARTELLO_ASSUME_PURE", value_name = "PATH", value_delimiter = ',')]
    assume_pure: Vec<String>,
    /// Say in each answer which replica gave it and after how many tries.
    #[arg(long, env = "MARTELLO_ROUTE_HEADERS")]
    route_headers: bool,
    /// Seconds that a replica may take for its answer, and for each pause within it.
    #[arg(long, env = "MARTELLO_UPSTREAM_TIMEOUT", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    upstream_timeout: Option<u64>,
    /// Requests that may be under way at once; a thousand more may wait for a second, and others are told 503.
    #[arg(long, env = "MARTELLO_MAX_IN_FLIGHT", value_name = "REQUESTS", value_parser = clap::value_parser!(u32).range(1..))]
    max_in_flight: Option<u32>,
    /// Seconds that requests in flight may take after SIGTERM.
    #[arg(long, env = "MARTELLO_GRACE", value_name = "SECONDS")]
    grace: Option<u64>,
}

impl Balance {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut shutdown = shutdown_requested()?;
        let binding = async { self.describe()?.bind().await.context("cannot balance") };
        let Some(balancer) = unless_ended(&mut shutdown, binding).await? else {
            return Ok(ExitCode::SUCCESS);
        };
        let address = balancer.local_addr();
        if let Some(admin) = balancer.admin_addr() {
            output::note(format!("admin API on http://{admin}"));
        }
        output::line(&format!("balancing on http://{address} over {}", self.upstream.join(", ")))?;
        balancer.serve(shutdown).await.context("the balancer failed")?;
        Ok(ExitCode::SUCCESS)
    }

    fn describe(&self) -> anyhow::Result<martello_balancer::BalancerBuilder> {
        let mut builder =
            Balancer::builder().listen(&self.listen).policy(self.policy).upstreams(&self.upstream);
        builder = builder.name_servers(NameServers::new(self.dns_server.iter().copied()));
        if let Some(listen) = self.admin {
            let token = self.admin_token.as_deref().map(AdminToken::new).transpose()?;
            builder = builder.admin(AdminConfig::new(listen, token)?);
        }
        if let Some(path) = &self.hand_over {
            builder = builder.hand_over(path);
        }
        if let Some(path) = &self.probe_path {
            builder = builder.probe(Probe::http(path)?);
        }
        for path in &self.assume_pure {
            builder = builder.assume_pure(path);
        }
        if self.route_headers {
            builder = builder.with_route_headers();
        }
        if let Some(in_flight) = self.max_in_flight {
            let limits = AdmissionLimits::default();
            builder = builder.admission(AdmissionLimits { in_flight: in_flight as usize, ..limits });
        }
        Ok(builder.endpoint(self.endpoint()).server(self.server()))
    }

    fn endpoint(&self) -> EndpointConfig {
        let mut config = EndpointConfig::default();
        if let Some(seconds) = self.upstream_timeout {
            config.progress_timeout = Duration::from_secs(seconds);
        }
        config
    }

    fn server(&self) -> ServerConfig {
        let mut config = ServerConfig::default();
        if let Some(seconds) = self.grace {
            config.drain_grace = Duration::from_secs(seconds);
        }
        config
    }
}
