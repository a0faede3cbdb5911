//! The limits and times of a balancer, all of which have defaults in the library.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Args;
use martello_balancer::{
    AdmissionLimits, BalancerBuilder, EndpointConfig, OutlierDetection, Probe, ProbeTarget, RetryBudget,
    ServerConfig, TryTimeout,
};

use super::wire::WireArgs;

/// How replicas are probed and ejected.
#[derive(Debug, Args)]
#[command(next_help_heading = "Health of replicas")]
pub(super) struct HealthArgs {
    /// Probe replicas with GET on this path; without it, by connecting only.
    #[arg(long, env = "MARTELLO_PROBE_PATH", value_name = "PATH")]
    probe_path: Option<String>,
    /// Statuses of a healthy answer to the probe, such as 200 or 200-299.
    #[arg(long, env = "MARTELLO_PROBE_EXPECT", value_name = "STATUSES", value_parser = statuses, requires = "probe_path")]
    probe_expect: Option<RangeInclusive<u16>>,
    /// Seconds between two probes of a replica.
    #[arg(long, env = "MARTELLO_PROBE_INTERVAL", value_name = "SECONDS", value_parser = seconds)]
    probe_interval: Option<Duration>,
    /// Seconds that a probe may take.
    #[arg(long, env = "MARTELLO_PROBE_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    probe_timeout: Option<Duration>,
    /// Failed probes in a row that take a replica out.
    #[arg(long, env = "MARTELLO_PROBE_FAILURES", value_name = "COUNT")]
    probe_failures: Option<std::num::NonZeroU32>,
    /// Failures in a row that eject a replica.
    #[arg(long, env = "MARTELLO_EJECT_FAILURES", value_name = "COUNT")]
    eject_failures: Option<std::num::NonZeroU32>,
    /// Failed connections in a row that eject a replica.
    #[arg(long, env = "MARTELLO_EJECT_CONNECT_FAILURES", value_name = "COUNT")]
    eject_connect_failures: Option<std::num::NonZeroU32>,
    /// Answers in a row that did not come in time that eject a replica.
    #[arg(long, env = "MARTELLO_EJECT_TIMEOUTS", value_name = "COUNT")]
    eject_timeouts: Option<std::num::NonZeroU32>,
    /// Eject a replica whose share of right answers is below this share of the others'; 0 compares none.
    #[arg(long, env = "MARTELLO_EJECT_BELOW", value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    eject_below: Option<u8>,
    /// Seconds after which replicas are compared so again.
    #[arg(long, env = "MARTELLO_COMPARE_INTERVAL", value_name = "SECONDS", value_parser = seconds)]
    compare_interval: Option<Duration>,
    /// Requests that a replica must have had by then to be compared.
    #[arg(long, env = "MARTELLO_COMPARE_REQUESTS", value_name = "COUNT")]
    compare_requests: Option<u32>,
    /// Seconds of the first ejection; each further one in a row lasts twice as long.
    #[arg(long, env = "MARTELLO_EJECTION", value_name = "SECONDS", value_parser = seconds)]
    ejection: Option<Duration>,
    /// Seconds of the longest ejection.
    #[arg(long, env = "MARTELLO_MAX_EJECTION", value_name = "SECONDS", value_parser = seconds)]
    max_ejection: Option<Duration>,
    /// Replicas that may be ejected for their answers at once.
    #[arg(long, env = "MARTELLO_EJECTION_CEILING", value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    ejection_ceiling: Option<u8>,
    /// Seconds for which the share of a new replica grows.
    #[arg(long, env = "MARTELLO_SLOW_START", value_name = "SECONDS", value_parser = seconds)]
    slow_start: Option<Duration>,
}

impl HealthArgs {
    pub(super) fn apply(&self, mut builder: BalancerBuilder) -> anyhow::Result<BalancerBuilder> {
        if let Some(lasts) = self.slow_start {
            builder = builder.slow_start(lasts);
        }
        Ok(builder.probe(self.probe()?).outlier_detection(self.outliers()))
    }

    fn probe(&self) -> anyhow::Result<Probe> {
        let mut probe = match &self.probe_path {
            Some(path) => Probe::http(path)?,
            None => Probe::connect(),
        };
        if let (ProbeTarget::Http { expected, .. }, Some(wanted)) = (&mut probe.target, &self.probe_expect) {
            expected.clone_from(wanted);
        }
        set(&mut probe.interval, self.probe_interval);
        set(&mut probe.timeout, self.probe_timeout);
        set(&mut probe.unhealthy_after, self.probe_failures);
        Ok(probe)
    }

    fn outliers(&self) -> OutlierDetection {
        let mut outliers = OutlierDetection::default();
        set(&mut outliers.consecutive_failures, self.eject_failures);
        set(&mut outliers.consecutive_connect_failures, self.eject_connect_failures);
        set(&mut outliers.consecutive_timeouts, self.eject_timeouts);
        set(&mut outliers.comparison_percent, self.eject_below);
        set(&mut outliers.comparison_interval, self.compare_interval);
        set(&mut outliers.comparison_attempts, self.compare_requests);
        set(&mut outliers.base_ejection, self.ejection);
        set(&mut outliers.max_ejection, self.max_ejection);
        set(&mut outliers.ceiling_percent, self.ejection_ceiling);
        outliers
    }
}

/// When a request is tried elsewhere.
#[derive(Debug, Args)]
#[command(next_help_heading = "Retries")]
pub(super) struct RetryArgs {
    /// Attempts that one request may make, the first included: 1 to 8.
    #[arg(long, env = "MARTELLO_MAX_TRIES", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=8))]
    max_tries: Option<u32>,
    /// Retries for each success, in the long run.
    #[arg(long, env = "MARTELLO_RETRY_RATIO", value_name = "SHARE")]
    retry_ratio: Option<f64>,
    /// Retries that may be made at once, beyond that.
    #[arg(long, env = "MARTELLO_RETRY_RESERVE", value_name = "COUNT")]
    retry_reserve: Option<u32>,
    /// Retries that may be made each second whatever succeeds.
    #[arg(long, env = "MARTELLO_RETRY_TRICKLE", value_name = "COUNT")]
    retry_trickle: Option<u32>,
    /// Seconds that an attempt may take, at least, before a request is tried elsewhere; 0 never does so.
    #[arg(long, env = "MARTELLO_TRY_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    try_timeout: Option<Duration>,
    /// How many times as long as the slowest of the recent answers an attempt may take.
    #[arg(long, env = "MARTELLO_TRY_TIMEOUT_MULTIPLE", value_name = "TIMES", value_parser = clap::value_parser!(u32).range(1..))]
    try_timeout_multiple: Option<u32>,
    /// The largest body, in bytes, that is kept to be sent again.
    #[arg(long, env = "MARTELLO_REPLAY_BYTES", value_name = "BYTES")]
    replay_bytes: Option<usize>,
    /// A POST on this path changes nothing, so it may be repeated even after it was sent. Replicas of Martello say so
    /// themselves. Repeatable.
    #[arg(long, env = "MARTELLO_ASSUME_PURE", value_name = "PATH", value_delimiter = ',')]
    assume_pure: Vec<String>,
}

impl RetryArgs {
    pub(super) fn apply(&self, mut builder: BalancerBuilder) -> BalancerBuilder {
        for path in &self.assume_pure {
            builder = builder.assume_pure(path);
        }
        if let Some(tries) = self.max_tries {
            builder = builder.max_tries(tries);
        }
        if let Some(bytes) = self.replay_bytes {
            builder = builder.replay_bytes(bytes);
        }
        let mut budget = RetryBudget::default();
        set(&mut budget.ratio, self.retry_ratio);
        set(&mut budget.reserve, self.retry_reserve);
        set(&mut budget.trickle, self.retry_trickle);
        let mut timeout = TryTimeout::default();
        set(&mut timeout.floor, self.try_timeout);
        set(&mut timeout.multiple, self.try_timeout_multiple);
        if timeout.floor.is_zero() {
            timeout = TryTimeout::NEVER;
        }
        builder.retry_budget(budget).try_timeout(timeout)
    }
}

/// How much is taken at once, and how long things may take.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits and times")]
pub(super) struct LimitArgs {
    /// Requests that may be under way at once.
    #[arg(long, env = "MARTELLO_MAX_IN_FLIGHT", value_name = "REQUESTS", value_parser = clap::value_parser!(u32).range(1..))]
    max_in_flight: Option<u32>,
    /// Requests that one replica may have at once.
    #[arg(long, env = "MARTELLO_MAX_IN_FLIGHT_EACH", value_name = "REQUESTS", value_parser = clap::value_parser!(u32).range(1..))]
    max_in_flight_each: Option<u32>,
    /// Requests that may wait for these; others are told 503.
    #[arg(long, env = "MARTELLO_QUEUE", value_name = "REQUESTS")]
    queue: Option<usize>,
    /// Seconds that one may wait.
    #[arg(long, env = "MARTELLO_QUEUE_WAIT", value_name = "SECONDS", value_parser = seconds)]
    queue_wait: Option<Duration>,
    /// Connections of clients at once; never more than the limit on open files allows.
    #[arg(long, env = "MARTELLO_MAX_CONNECTIONS", value_name = "COUNT")]
    max_connections: Option<std::num::NonZeroUsize>,
    /// The largest body of a request, in bytes.
    #[arg(long, env = "MARTELLO_MAX_BODY", value_name = "BYTES")]
    max_body: Option<u64>,
    /// Seconds that the head of a request may take.
    #[arg(long, env = "MARTELLO_HEAD_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    head_timeout: Option<Duration>,
    /// Seconds that the body of a request may take.
    #[arg(long, env = "MARTELLO_BODY_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    body_timeout: Option<Duration>,
    /// Seconds that a client's connection is kept without a request.
    #[arg(long, env = "MARTELLO_IDLE_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    idle_timeout: Option<Duration>,
    /// Seconds that a client may take nothing of its answer.
    #[arg(long, env = "MARTELLO_WRITE_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    write_timeout: Option<Duration>,
    /// Seconds that a connection to a replica may take to be made.
    #[arg(long, env = "MARTELLO_CONNECT_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    connect_timeout: Option<Duration>,
    /// Seconds that a replica may take for its answer, and for each pause within it.
    #[arg(long, env = "MARTELLO_UPSTREAM_TIMEOUT", value_name = "SECONDS", value_parser = seconds)]
    upstream_timeout: Option<Duration>,
    /// Seconds that the answer to a request for a path may take to begin, whatever is tried; 0 removes the limit. Repeatable.
    #[arg(
        long,
        env = "MARTELLO_TIMEOUT_AT",
        value_name = "PATH=SECONDS",
        value_delimiter = ',',
        value_parser = path_timeout,
        default_value = "/health=5"
    )]
    timeout_at: Vec<(String, Duration)>,
    /// Seconds that an unused connection to a replica is kept: fewer than the replica keeps it.
    #[arg(long, env = "MARTELLO_UPSTREAM_IDLE", value_name = "SECONDS", value_parser = seconds)]
    upstream_idle: Option<Duration>,
    /// Unused connections that each thread keeps to each replica.
    #[arg(long, env = "MARTELLO_UPSTREAM_MAX_IDLE", value_name = "COUNT")]
    upstream_max_idle: Option<usize>,
    /// Threads that serve connections, each with its own connections to replicas. As many as there are processors unless
    /// told; 1 is one thread for everything, and the cheapest for each request.
    #[arg(long, env = "MARTELLO_BALANCE_WORKERS", value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Seconds that requests in flight may take after SIGTERM, and other protocols once their replica leaves.
    #[arg(long, env = "MARTELLO_GRACE", value_name = "SECONDS", value_parser = seconds)]
    grace: Option<Duration>,
}

impl LimitArgs {
    pub(super) fn apply(&self, builder: BalancerBuilder, wire: &WireArgs) -> BalancerBuilder {
        let (mut endpoint, mut server) = (self.endpoint(), self.server());
        wire.endpoint(&mut endpoint);
        wire.server(&mut server);
        let timeouts = self.timeout_at.iter().filter(|(_, timeout)| !timeout.is_zero()).cloned();
        builder.admission(self.admission()).endpoint(endpoint).server(server).timeouts_at(timeouts)
    }

    fn admission(&self) -> AdmissionLimits {
        let mut limits = AdmissionLimits::default();
        set(&mut limits.in_flight, self.max_in_flight.map(|requests| requests as usize));
        set(&mut limits.per_endpoint, self.max_in_flight_each);
        set(&mut limits.queue, self.queue);
        set(&mut limits.wait, self.queue_wait);
        limits
    }

    fn endpoint(&self) -> EndpointConfig {
        let mut config = EndpointConfig::default();
        set(&mut config.connect_timeout, self.connect_timeout);
        set(&mut config.progress_timeout, self.upstream_timeout);
        set(&mut config.idle_timeout, self.upstream_idle);
        set(&mut config.max_idle, self.upstream_max_idle);
        config
    }

    /// Threads beside the one that accepts; none where that one does it all.
    fn workers(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        match self.workers.map_or_else(processors, usize::from) {
            1 => 0,
            many => many,
        }
    }

    fn server(&self) -> ServerConfig {
        let mut config = ServerConfig { workers: self.workers(), ..ServerConfig::default() };
        set(&mut config.limits.body_bytes, self.max_body);
        set(&mut config.max_connections, self.max_connections.map(std::num::NonZeroUsize::get));
        set(&mut config.head_timeout, self.head_timeout);
        set(&mut config.body_timeout, self.body_timeout);
        set(&mut config.idle_timeout, self.idle_timeout);
        set(&mut config.write_pause, self.write_timeout);
        set(&mut config.drain_grace, self.grace);
        config
    }
}

pub(super) fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Reads seconds, such as 2 or 0.5.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is no number of seconds, such as 2 or 0.5".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn path_timeout(text: &str) -> Result<(String, Duration), String> {
    match text.rsplit_once('=') {
        Some((path, after)) if path.starts_with('/') => Ok((path.to_owned(), seconds(after)?)),
        _ => Err("write it as a path and seconds, such as /health=5".to_owned()),
    }
}

fn statuses(text: &str) -> Result<RangeInclusive<u16>, String> {
    let status = |text: &str| text.parse().ok().filter(|status| (100..=599).contains(status));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (status(first), status(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => Err("write it as 200 or 200-299".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_statuses_are_read_as_people_write_them() {
        assert_eq!(path_timeout("/a=b=0.5"), Ok(("/a=b".to_owned(), Duration::from_millis(500))));
        for wrong in ["", "/health", "5", "health=5", "/health=", "/health=soon"] {
            assert!(path_timeout(wrong).is_err(), "{wrong}");
        }
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["", "soon", "-1", "NaN", "inf", "1e300"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        assert_eq!((statuses("204"), statuses("200-299")), (Ok(204..=204), Ok(200..=299)));
        for wrong in ["", "99", "600", "299-200", "200-", "ok"] {
            assert!(statuses(wrong).is_err(), "{wrong}");
        }
    }
}
