//! Whether this machine can carry a plan at all: better known before than found in the failures.

use std::fs;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Load, Plan};

/// Descriptors kept for everything but users: the runtime's own, log files, a report.
const RESERVED_DESCRIPTORS: u64 = 64;

/// The share of ephemeral ports above which a warning is due: ports of closed connections stay
/// taken for a minute (TIME_WAIT), so reconnecting users need more than one each.
const TIGHT_PORTS: f64 = 0.8;

/// What this machine offers and the plan needs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preflight {
    /// File descriptors that the plan needs, those already open among them.
    pub descriptors_needed: u64,
    /// File descriptors that the process may open after the limit was raised.
    pub descriptors_allowed: u64,
    /// Ports that connections to one address can leave from; `None` where the system does not say.
    pub ports: Option<u64>,
    warnings: Vec<String>,
}

impl Preflight {
    /// Returns what may disturb the measurement, as sentences.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(crate) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }
}

pub(crate) fn inspect(plan: &Plan) -> Result<Preflight> {
    let users = plan.most_users() as u64;
    let (descriptors_needed, descriptors_allowed) = inspect_descriptors(users)?;
    let ports =
        fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok().as_deref().and_then(port_count);
    let mut warnings = Vec::new();
    if let Some(ports) = ports {
        warnings.extend(inspect_ports(users, ports)?);
    }
    warnings.extend(fs::read_to_string("/proc/loadavg").ok().as_deref().and_then(busy_machine));
    warnings.extend(unreachable_users(plan));
    Ok(Preflight { descriptors_needed, descriptors_allowed, ports, warnings })
}

fn inspect_descriptors(users: u64) -> Result<(u64, u64)> {
    let open = fs::read_dir("/proc/self/fd").map_or(RESERVED_DESCRIPTORS, |entries| entries.count() as u64);
    let needed = users + open + RESERVED_DESCRIPTORS;
    let unknown =
        |error| Error::new(ErrorKind::TooFewResources, "descriptor limit cannot be read").caused_by(error);
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(unknown)?;
    if needed > hard {
        return Err(Error::new(
            ErrorKind::TooFewResources,
            format!(
                "{users} users need {needed} file descriptors, but the hard limit is {hard}; raise it \
                 (`ulimit -Hn {needed}` as root, LimitNOFILE= in systemd, --ulimit nofile in Docker) or take fewer users"
            ),
        ));
    }
    if needed > soft {
        let refused = |error| {
            let message = format!(
                "descriptor limit cannot be raised from {soft} to {hard}; {users} users need {needed}"
            );
            Error::new(ErrorKind::TooFewResources, message).caused_by(error)
        };
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(refused)?;
        return Ok((needed, hard));
    }
    Ok((needed, soft))
}

/// The number of ports in the kernel's text, `32768 60999`.
fn port_count(range: &str) -> Option<u64> {
    let mut ends = range.split_whitespace().map(str::parse::<u64>);
    let (low, high) = (ends.next()?.ok()?, ends.next()?.ok()?);
    Some(high.checked_sub(low)? + 1)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ports are few"
)]
fn inspect_ports(users: u64, ports: u64) -> Result<Option<String>> {
    let cure = "widen net.ipv4.ip_local_port_range";
    if users > ports {
        let message = format!(
            "{users} users need as many ephemeral ports, but there are {ports}; {cure} or take fewer users"
        );
        return Err(Error::new(ErrorKind::TooFewResources, message));
    }
    let tight = users > (ports as f64 * TIGHT_PORTS) as u64;
    Ok(tight.then(|| {
        format!("{users} users take most of the {ports} ephemeral ports; {cure} if connections fail")
    }))
}

/// A sentence if more is runnable than there are processors, by the kernel's one-minute average.
fn busy_machine(loadavg: &str) -> Option<String> {
    let load: f64 = loadavg.split_whitespace().next()?.parse().ok()?;
    let processors = std::thread::available_parallelism().ok()?.get();
    #[expect(clippy::cast_precision_loss, reason = "processors are few")]
    let busy = load > processors as f64;
    busy.then(|| {
        format!(
            "this machine was busy before the test: load {load} on {processors} processors in the last minute"
        )
    })
}

fn unreachable_users(plan: &Plan) -> Option<String> {
    let Load::Closed { steps, .. } = &plan.0.load else { return None };
    let mut before = 0_usize;
    for step in steps {
        #[expect(clippy::cast_precision_loss, reason = "users are fewer than 2^53")]
        let ramp = step.users.abs_diff(before).saturating_sub(1) as f64 / step.spawn_rate;
        let (users, rate) = (step.users, step.spawn_rate);
        if let Some(run_time) = step.run_time.map(|time| time.as_secs_f64()).filter(|time| *time < ramp) {
            let message = "is over before its last user starts";
            return Some(format!(
                "the step to {users} users {message}: {run_time} s, but at {rate} a second it takes {ramp:.0} s"
            ));
        }
        before = step.users;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ports_are_counted_and_judged() {
        assert_eq!(port_count("32768\t60999\n"), Some(28_232));
        assert_eq!(port_count("60999 32768"), None);
        assert_eq!(inspect_ports(10_000, 28_232).unwrap(), None);
        assert!(inspect_ports(25_000, 28_232).unwrap().is_some());
        let message = inspect_ports(30_000, 28_232).unwrap_err().to_string();
        assert!(message.contains("30000") && message.contains("28232"), "{message}");
    }

    #[test]
    fn more_users_than_descriptors_is_an_error_with_the_numbers() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let Some(users) = hard.checked_add(1).filter(|users| *users < u64::MAX / 2) else { return };
        let message = inspect_descriptors(users).unwrap_err().to_string();
        assert!(message.contains(&hard.to_string()), "{message}");
    }

    #[test]
    fn a_busy_machine_is_noticed() {
        assert_eq!(busy_machine("0.00 0.01 0.05 1/100 1"), None);
        assert!(busy_machine("100000.0 0.01 0.05 1/100 1").is_some());
        assert_eq!(busy_machine("nonsense"), None);
    }

    #[test]
    fn a_run_too_short_for_its_users_is_noticed() {
        let plan = |seconds| {
            let builder = Plan::builder("http://127.0.0.1:1").users(100).spawn_rate(10.0);
            builder.run_time(Duration::from_secs(seconds)).build().unwrap()
        };
        assert!(unreachable_users(&plan(5)).unwrap().contains("100 users"));
        assert_eq!(unreachable_users(&plan(20)), None);
    }
}
