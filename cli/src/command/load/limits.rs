//! What a test allows before it calls something a failure, as arguments.

use std::time::Duration;

use clap::Args;
use martello_load_test::{Limits, PlanBuilder};

/// The defaults are those of the library, each with its reason there.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits of a test")]
pub(crate) struct LimitArguments {
    /// Seconds in which a connection must open (default 10, as nginx in front of the replaced system).
    #[arg(long, env = "MARTELLO_LOAD_CONNECT_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    connect_timeout: Option<Duration>,
    /// Seconds in which an answer must be complete (default 30, likewise).
    #[arg(long, env = "MARTELLO_LOAD_RESPONSE_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    response_timeout: Option<Duration>,
    /// The largest body of an answer that is read (default 10 MiB).
    #[arg(long, env = "MARTELLO_LOAD_MAX_RESPONSE_BODY", value_name = "BYTES")]
    max_response_body: Option<u64>,
    /// The largest head of an answer that is read (default 8 KiB; every user has such a buffer).
    #[arg(long, env = "MARTELLO_LOAD_MAX_RESPONSE_HEAD", value_name = "BYTES")]
    max_response_head: Option<usize>,
    /// Seconds that requests in flight may go on once the test is over (default 5).
    #[arg(short = 's', long, env = "LOCUST_STOP_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    stop_timeout: Option<Duration>,
    /// Milliseconds behind its own schedule (99th percentile) that make a test invalid (default 50).
    #[arg(long, env = "MARTELLO_LOAD_MAX_LATENESS", value_name = "MILLISECONDS")]
    max_lateness: Option<u64>,
    /// Milliseconds that a user without a connection waits at least before the next attempt (default 100).
    #[arg(long, env = "MARTELLO_LOAD_RECONNECT_PAUSE", value_name = "MILLISECONDS")]
    reconnect_pause: Option<u64>,
    /// The most connections of an open loop (default 1000); requests beyond wait, and the wait counts.
    #[arg(long, env = "MARTELLO_LOAD_MAX_CONNECTIONS", value_name = "CONNECTIONS")]
    max_connections: Option<usize>,
    /// The header of an answer that names the replica which gave it.
    #[arg(long, env = "MARTELLO_LOAD_ENDPOINT_HEADER", value_name = "NAME", default_value = martello_load_test::DEFAULT_ENDPOINT_HEADER)]
    endpoint_header: String,
}

impl LimitArguments {
    pub(crate) fn apply(&self, plan: PlanBuilder) -> PlanBuilder {
        let default = Limits::default();
        let limits = Limits {
            connect_timeout: self.connect_timeout.unwrap_or(default.connect_timeout),
            response_timeout: self.response_timeout.unwrap_or(default.response_timeout),
            max_response_body: self.max_response_body.unwrap_or(default.max_response_body),
            max_response_head: self.max_response_head.unwrap_or(default.max_response_head),
            stop_grace: self.stop_timeout.unwrap_or(default.stop_grace),
            max_lateness: self.max_lateness.map_or(default.max_lateness, Duration::from_millis),
            reconnect_pause: self.reconnect_pause.map_or(default.reconnect_pause, Duration::from_millis),
            max_connections: self.max_connections.unwrap_or(default.max_connections),
        };
        plan.limits(limits).endpoint_header(&self.endpoint_header)
    }
}

/// Reads seconds with a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| format!("{text:?} is no number of seconds"))
}
