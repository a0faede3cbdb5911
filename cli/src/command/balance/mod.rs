//! `martello balance`: many replicas look like one.

mod limits;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use martello_balancer::discovery::{Dns, NameServers};
use martello_balancer::policy::PolicyKind;
use martello_balancer::{
    AccessLog, AccessLogFormat, AdminConfig, AdminToken, Balancer, BalancerBuilder, StatusPaths,
};

use self::limits::{HealthArgs, LimitArgs, RetryArgs, seconds};
use self::wire::WireArgs;
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
        required_unless_present = "admin"
    )]
    upstream: Vec<String>,
    /// How a replica is chosen: round-robin, least-requests, power-of-two-choices, peak-ewma.
    #[arg(long, env = "MARTELLO_POLICY", default_value_t = PolicyKind::default())]
    policy: PolicyKind,
    /// A Unix socket. The balancer takes the port over from one that runs with the same path, and hands it to one that
    /// is started later: no connection is refused or lost.
    #[arg(long, env = "MARTELLO_HAND_OVER", value_name = "PATH")]
    hand_over: Option<PathBuf>,
    #[command(flatten)]
    names: NameArgs,
    #[command(flatten)]
    health: HealthArgs,
    #[command(flatten)]
    retries: RetryArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    wire: WireArgs,
    #[command(flatten)]
    seeing: SeeingArgs,
    #[command(flatten)]
    admin: AdminArgs,
}

/// How names are looked up.
#[derive(Debug, Args)]
#[command(next_help_heading = "Names of replicas")]
struct NameArgs {
    /// A name server to ask, in place of the system's. Repeatable.
    #[arg(long, env = "MARTELLO_DNS_SERVERS", value_name = "ADDRESS", value_delimiter = ',')]
    dns_server: Vec<SocketAddr>,
    /// Seconds after which a name is looked up again at the earliest, whatever the time to live of its records.
    #[arg(long, env = "MARTELLO_DNS_FLOOR", value_name = "SECONDS", value_parser = seconds)]
    dns_floor: Option<Duration>,
    /// Seconds after which it is looked up again at the latest.
    #[arg(long, env = "MARTELLO_DNS_CEILING", value_name = "SECONDS", value_parser = seconds)]
    dns_ceiling: Option<Duration>,
    /// Seconds that a name server may take.
    #[arg(long, env = "MARTELLO_DNS_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    dns_timeout: Option<Duration>,
}

/// What there is to see.
#[derive(Debug, Args)]
#[command(next_help_heading = "Seeing it")]
struct SeeingArgs {
    /// Say in each answer which replica gave it and after how many tries.
    #[arg(long, env = "MARTELLO_ROUTE_HEADERS")]
    route_headers: bool,
    /// Write a line for each answer to this file; - is the standard output.
    #[arg(long, env = "MARTELLO_ACCESS_LOG", value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// How such a line looks: combined, as nginx's, or json.
    #[arg(long, env = "MARTELLO_ACCESS_LOG_FORMAT", value_name = "FORMAT", default_value_t = AccessLogFormat::default())]
    access_log_format: AccessLogFormat,
    /// Path of the page to watch the balancer on; none leaves the path to the replicas, as with the next three.
    #[arg(long, env = "MARTELLO_PAGE_PATH", value_name = "PATH", default_value = "/balancer")]
    page_path: String,
    /// Path of the status as JSON.
    #[arg(long, env = "MARTELLO_STATUS_PATH", value_name = "PATH", default_value = "/balancer/status")]
    status_path: String,
    /// Path of the status as nginx shows it.
    #[arg(long, env = "MARTELLO_NGINX_STATUS_PATH", value_name = "PATH", default_value = "/nginx_status")]
    nginx_status_path: String,
    /// Path of the metrics for Prometheus.
    #[arg(long, env = "MARTELLO_METRICS_PATH", value_name = "PATH", default_value = "/metrics")]
    metrics_path: String,
}

/// Who may change the replicas while it runs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Admin API")]
struct AdminArgs {
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

    fn describe(&self) -> anyhow::Result<BalancerBuilder> {
        let mut builder =
            Balancer::builder().listen(&self.listen).policy(self.policy).upstreams(&self.upstream);
        if let Some(path) = &self.hand_over {
            builder = builder.hand_over(path);
        }
        builder = self.names.apply(builder);
        builder = self.health.apply(builder)?;
        builder = self.wire.apply(self.limits.apply(self.retries.apply(builder), &self.wire));
        self.admin.apply(self.seeing.apply(builder))
    }
}

impl NameArgs {
    fn apply(&self, builder: BalancerBuilder) -> BalancerBuilder {
        let floor = self.dns_floor.unwrap_or(Dns::FLOOR);
        let ceiling = self.dns_ceiling.unwrap_or(Dns::CEILING);
        let servers = NameServers::new(self.dns_server.iter().copied());
        builder
            .name_servers(servers.patience(self.dns_timeout.unwrap_or(NameServers::PATIENCE)))
            .look_up_between(floor, ceiling)
    }
}

impl SeeingArgs {
    fn apply(&self, mut builder: BalancerBuilder) -> BalancerBuilder {
        if self.route_headers {
            builder = builder.with_route_headers();
        }
        match &self.access_log {
            Some(file) if file.as_os_str() == "-" => {
                builder = builder.access_log(AccessLog::to_stdout(self.access_log_format));
            }
            Some(file) => builder = builder.access_log(AccessLog::to_file(file, self.access_log_format)),
            None => {}
        }
        let path = |path: &String| (path != "none").then(|| path.clone());
        builder.status_paths(StatusPaths {
            page: path(&self.page_path),
            json: path(&self.status_path),
            nginx: path(&self.nginx_status_path),
            metrics: path(&self.metrics_path),
        })
    }
}

impl AdminArgs {
    fn apply(&self, builder: BalancerBuilder) -> anyhow::Result<BalancerBuilder> {
        let Some(listen) = self.admin else { return Ok(builder) };
        let token = self.admin_token.as_deref().map(AdminToken::new).transpose()?;
        Ok(builder.admin(AdminConfig::new(listen, token)?))
    }
}
