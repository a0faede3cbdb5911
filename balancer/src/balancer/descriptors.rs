//! How many connections fit into the limit on open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::ServerConfig;

/// Descriptors that are kept for other than connections: listeners, name servers, probes, the log. 64.
const OTHERS: u64 = 64;

/// Returns the configuration with no more connections than there are descriptors for: each may need another one to a
/// replica. The soft limit is raised as far as the system allows first.
pub(super) fn fit(mut config: ServerConfig) -> ServerConfig {
    let Some(limit) = raise() else { return config };
    let fits = fitting(limit);
    if config.max_connections > fits {
        tracing::warn!(
            descriptors = limit,
            connections = fits,
            asked_for = config.max_connections,
            "the limit on open files allows fewer connections at once; more wait until one ends (raise it: ulimit -Hn, LimitNOFILE)"
        );
        config.max_connections = fits;
    }
    config
}

fn fitting(limit: u64) -> usize {
    usize::try_from(limit.saturating_sub(OTHERS) / 2).unwrap_or(usize::MAX).max(1)
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
    fn each_connection_has_two_descriptors() {
        let cases = [(1_024, 480), (64, 1), (0, 1), (65_536, 32_736)];
        for (limit, expected) in cases {
            assert_eq!(fitting(limit), expected, "{limit}");
        }
    }

    #[test]
    fn fewer_connections_than_fit_stay_as_they_are() {
        let config = ServerConfig { max_connections: 10, ..ServerConfig::default() };
        assert_eq!(fit(config).max_connections, 10);
    }
}
