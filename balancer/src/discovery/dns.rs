//! A name that is looked up again and again, on our own clock.

use std::{fmt, future::Future, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use super::Discover;

/// Looks names up.
pub trait Resolve: Send + Sync + 'static {
    /// Returns the addresses of a host.
    fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static;
}

/// The operating system's resolver (`getaddrinfo`): hosts file, search domains and all.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static {
        let host = host.to_owned();
        async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) }
    }
}

type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// The addresses of a host, looked up again every [`Dns::DEFAULT_INTERVAL`] and at once after a failed
/// connection.
///
/// A record's time to live is not asked for: Docker's resolver says 600 s of an answer that a
/// `docker compose up --scale` changes within one. What was found last stays when a lookup fails, finds
/// nothing or does not end: an endpoint that is gone is found out by its failing connections, while a
/// resolver that is gone would otherwise take all endpoints with it.
///
/// A host with addresses of both families is taken for one with two names: only the IPv4 ones are used.
pub struct Dns<R = SystemResolver> {
    resolver: R,
    host: Arc<str>,
    port: u16,
    interval: Duration,
    nudge: Arc<Notify>,
    known: Vec<SocketAddr>,
    next_at: Instant,
    /// A lookup that is late is waited for, not started a second time: each would hold a thread.
    running: Option<Lookup>,
    failing: bool,
}

impl Dns {
    /// The time between lookups: one second, so that a new replica is found within the time that it takes
    /// to start, for one small datagram a second.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
    /// How long a lookup may take before it is said to be late.
    pub const LATE: Duration = Duration::from_secs(2);
    /// The least time between two lookups, however many connections fail.
    pub const LEAST_INTERVAL: Duration = Duration::from_millis(100);

    /// Returns the source of a host's addresses, each with this port.
    pub fn new(host: impl Into<Arc<str>>, port: u16) -> Self {
        Self::with_resolver(SystemResolver, host, port)
    }
}

impl<R: Resolve> Dns<R> {
    /// Returns the source of what this resolver says of a host.
    pub fn with_resolver(resolver: R, host: impl Into<Arc<str>>, port: u16) -> Self {
        Self {
            resolver,
            host: host.into(),
            port,
            interval: Dns::DEFAULT_INTERVAL,
            nudge: Arc::default(),
            known: Vec::new(),
            next_at: Instant::now(),
            running: None,
            failing: false,
        }
    }

    /// Sets the time between lookups; at least [`Dns::LEAST_INTERVAL`].
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Dns::LEAST_INTERVAL);
        self
    }

    /// Looks the name up at once, or as soon as the least interval allows, whenever this is notified.
    #[must_use]
    pub fn nudged_by(mut self, nudge: Arc<Notify>) -> Self {
        self.nudge = nudge;
        self
    }

    async fn wait(&mut self) {
        let earliest = self.next_at.checked_sub(self.interval - Dns::LEAST_INTERVAL).unwrap_or(self.next_at);
        tokio::select! {
            () = sleep_until(self.next_at) => {}
            () = self.nudge.notified() => sleep_until(earliest).await,
        }
    }

    /// Returns what is found, or why nothing is.
    async fn look_up(&mut self) -> Result<Vec<SocketAddr>, String> {
        let running =
            self.running.get_or_insert_with(|| Box::pin(self.resolver.resolve(&self.host, self.port)));
        let Ok(ended) = timeout(Dns::LATE, running).await else { return Err("the resolver is late".into()) };
        self.running = None;
        let found = one_family(ended.map_err(|error| error.to_string())?);
        if found.is_empty() { Err("the name has no address".into()) } else { Ok(found) }
    }

    /// Says once that the name cannot be looked up, and once that it can again.
    fn report(&mut self, problem: Option<&str>) {
        match problem {
            Some(problem) if !self.failing => {
                tracing::warn!(host = %self.host, problem, kept = self.known.len(), "could not look up the upstream; keeping what is known");
            }
            None if self.failing => tracing::info!(host = %self.host, "the upstream's name is found again"),
            _ => {}
        }
        self.failing = problem.is_some();
    }
}

impl<R: Resolve> Discover for Dns<R> {
    type Endpoint = SocketAddr;

    async fn next(&mut self) -> Option<Vec<SocketAddr>> {
        loop {
            self.wait().await;
            let looked_up = self.look_up().await;
            self.next_at = Instant::now() + self.interval;
            self.report(looked_up.as_ref().err().map(String::as_str));
            if let Ok(found) = looked_up
                && found != self.known
            {
                self.known.clone_from(&found);
                return Some(found);
            }
        }
    }
}

impl<R> fmt::Debug for Dns<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("interval", &self.interval)
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

/// Resolvers turn the order of answers; a set has none.
fn one_family(mut found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    if found.iter().any(SocketAddr::is_ipv4) {
        found.retain(SocketAddr::is_ipv4);
    }
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, sync::Mutex};

    use super::*;

    /// What a scripted resolver answers, one lookup after the other, the last for ever.
    #[derive(Clone)]
    enum Say {
        Found(&'static [&'static str]),
        Fail,
        Hang(Duration, &'static [&'static str]),
    }

    struct Scripted(Arc<Mutex<VecDeque<Say>>>, Arc<Mutex<Vec<Instant>>>);

    impl Resolve for Scripted {
        fn resolve(
            &self,
            _host: &str,
            port: u16,
        ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static {
            self.1.lock().unwrap().push(Instant::now());
            let mut script = self.0.lock().unwrap();
            let say = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
            let found = move |hosts: &[&str]| {
                hosts.iter().map(|host| SocketAddr::new(host.parse().unwrap(), port)).collect()
            };
            async move {
                match say {
                    Some(Say::Found(hosts)) => Ok(found(hosts)),
                    Some(Say::Hang(time, hosts)) => {
                        tokio::time::sleep(time).await;
                        Ok(found(hosts))
                    }
                    Some(Say::Fail) | None => Err(io::Error::other("SERVFAIL")),
                }
            }
        }
    }

    fn dns(script: &[Say]) -> (Dns<Scripted>, Arc<Mutex<Vec<Instant>>>) {
        let asked = Arc::default();
        let resolver = Scripted(Arc::new(Mutex::new(script.to_vec().into())), Arc::clone(&asked));
        (Dns::with_resolver(resolver, "replica", 8000), asked)
    }

    async fn next(dns: &mut Dns<Scripted>) -> Vec<String> {
        dns.next().await.unwrap().iter().map(ToString::to_string).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_service_is_seen_within_a_second() {
        let (mut dns, _) = dns(&[
            Say::Found(&["10.0.0.1"]),
            Say::Found(&["10.0.0.1"]),
            Say::Found(&["10.0.0.2", "10.0.0.1", "::1"]),
            Say::Found(&["10.0.0.1", "10.0.0.2"]),
            Say::Found(&["10.0.0.2"]),
        ]);
        let start = Instant::now();
        assert_eq!(next(&mut dns).await, ["10.0.0.1:8000"]);
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(next(&mut dns).await, ["10.0.0.1:8000", "10.0.0.2:8000"]);
        assert_eq!(start.elapsed().as_secs(), 2);
        assert_eq!(next(&mut dns).await, ["10.0.0.2:8000"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_good_set_stays_when_the_resolver_fails() {
        let (mut dns, asked) = dns(&[
            Say::Found(&["10.0.0.1"]),
            Say::Fail,
            Say::Found(&[]),
            Say::Hang(Duration::from_secs(7), &["10.0.0.1"]),
            Say::Found(&["10.0.0.3"]),
        ]);
        assert_eq!(next(&mut dns).await, ["10.0.0.1:8000"]);
        // Nothing is told until there is another good set.
        assert_eq!(next(&mut dns).await, ["10.0.0.3:8000"]);
        assert_eq!(asked.lock().unwrap().len(), 5, "a late lookup is not started twice");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_connection_looks_up_at_once_but_not_all_the_time() {
        let (dns, asked) = dns(&[Say::Found(&["10.0.0.1"])]);
        let nudge = Arc::new(Notify::new());
        let mut dns = dns.interval(Duration::from_secs(60)).nudged_by(Arc::clone(&nudge));
        next(&mut dns).await;
        let following = tokio::spawn(async move { dns.next().await });
        for _ in 0..100 {
            nudge.notify_one();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        following.abort();
        let lookups = asked.lock().unwrap().len();
        assert!((9..=12).contains(&lookups), "{lookups} lookups in a second of failures");
    }
}
