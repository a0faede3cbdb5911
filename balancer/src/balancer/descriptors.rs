//! How many connections fit into the limit on open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{AdmissionLimits, ServerConfig};

/// Descriptors that are kept for other than connections: listeners, name servers, probes, the log. 64.
const OTHERS: u64 = 64;

/// Connections of clients below which it is said that fewer fit than by default: the users that the replaced system was
/// to hold.
const EXPECTED: usize = 10_000;

/// Lowers the limits on clients' connections and on requests under way to what there are descriptors for: every client
/// has one, and of the whole a quarter is kept for connections to replicas, of which every request under way has
/// one. The soft limit is raised as far as the system allows first.
pub(super) fn fit(server: &mut ServerConfig, admission: &mut AdmissionLimits) {
    let Some(limit) = raise() else { return };
    let (connections, requests) = fitting(limit);
    let default = ServerConfig::default().max_connections;
    if server.max_connections > connections && (server.max_connections != default || connections < EXPECTED) {
        tracing::warn!(
            descriptors = limit,
            connections,
            requests,
            asked_for = server.max_connections,
            "the limit on open files allows fewer connections at once, further ones wait; raise it (ulimit -Hn, LimitNOFILE)"
        );
    }
    server.max_connections = server.max_connections.min(connections);
    admission.in_flight = admission.in_flight.min(requests);
}

/// Returns how many clients' connections and how many requests under way fit.
fn fitting(limit: u64) -> (usize, usize) {
    let upstream = limit / 4;
    let clients = limit.saturating_sub(upstream + OTHERS);
    let at_least_one = |count: u64| usize::try_from(count).unwrap_or(usize::MAX).max(1);
    (at_least_one(clients), at_least_one(upstream))
}

/// Returns the limit on open files; nothing if there is none.
fn raise() -> Option<u64> {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => before.maximum,
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit on open files");
            before.current
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_quarters_are_for_clients_and_a_quarter_for_replicas() {
        let cases = [(1_024, (704, 256)), (64, (1, 16)), (0, (1, 1)), (20_000, (14_936, 5_000))];
        for (limit, expected) in cases {
            assert_eq!(fitting(limit), expected, "{limit}");
        }
    }

    #[test]
    fn fewer_than_fit_stay_as_they_are() {
        let mut server = ServerConfig { max_connections: 10, ..ServerConfig::default() };
        let mut admission = AdmissionLimits { in_flight: 5, ..AdmissionLimits::default() };
        fit(&mut server, &mut admission);
        assert_eq!((server.max_connections, admission.in_flight), (10, 5));
    }
}
