//! A name that is looked up again and again, on our own clock.

use std::{
    collections::BTreeMap, fmt, future::Future, io, net::SocketAddr, num::NonZeroU16, ops::RangeInclusive,
    pin::Pin, sync::Arc, time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use super::Discover;

/// Looks names up.
pub trait Resolve: Send + Sync + 'static {
    /// Returns what there is at a host.
    fn resolve(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Found>> + Send + 'static;
}

/// What was found behind a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The addresses, each with its share of the traffic relative to the others.
    pub endpoints: Vec<(SocketAddr, NonZeroU16)>,
    /// How long this is good for, if that was said.
    pub time_to_live: Option<Duration>,
}

impl FromIterator<SocketAddr> for Found {
    fn from_iter<I: IntoIterator<Item = SocketAddr>>(addresses: I) -> Self {
        let endpoints = addresses.into_iter().map(|address| (address, NonZeroU16::MIN)).collect();
        Self { endpoints, time_to_live: None }
    }
}

/// The operating system's resolver (`getaddrinfo`): hosts file, search domains and all. It tells no time to live.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Found>> + Send + 'static {
        let host = host.to_owned();
        async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) }
    }
}

type Lookup = Pin<Box<dyn Future<Output = io::Result<Found>> + Send>>;

/// The addresses of a host, looked up again when the time to live of the last answer is over, within bounds, and at
/// once after a failed connection.
///
/// The time to live is honoured from [`Dns::FLOOR`] to [`Dns::CEILING`]: Docker's resolver says 600 s of an answer that
/// a `docker compose up --scale` changes within one.
///
/// What was found last stays when a lookup fails, finds nothing, finds no such name or does not end. That includes a
/// name that is said not to exist: Docker says so of a service none of whose containers runs, Kubernetes while none is
/// ready, and a resolver that has lost its zone says it of everything. An endpoint that is gone is found out by its
/// failing connections, while a resolver that is gone would otherwise take all endpoints with it.
///
/// A host with addresses of both families is taken for one with two names: only the IPv4 ones are used.
pub struct Dns<R = SystemResolver> {
    resolver: R,
    host: Arc<str>,
    port: u16,
    between: RangeInclusive<Duration>,
    nudge: Arc<Notify>,
    known: BTreeMap<SocketAddr, NonZeroU16>,
    /// The next lookup is due then, and the one before was at that time.
    next_at: Instant,
    last_at: Option<Instant>,
    /// A lookup that is late is waited for, not started a second time: each would hold a thread.
    running: Option<Lookup>,
    failing: bool,
}

impl Dns {
    /// The least time between two lookups that nothing else asks for: half a second, so that records without a time to
    /// live cost two small datagrams a second.
    pub const FLOOR: Duration = Duration::from_millis(500);
    /// The longest time between two lookups: two seconds, so that a new replica is found about when it has started.
    pub const CEILING: Duration = Duration::from_secs(2);
    /// The time between lookups where nobody says how long the answer is good for: one second.
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
            between: Dns::FLOOR..=Dns::CEILING,
            nudge: Arc::default(),
            known: BTreeMap::new(),
            next_at: Instant::now(),
            last_at: None,
            running: None,
            failing: false,
        }
    }

    /// Sets the bounds of the time between lookups, whatever the records say; at least [`Dns::LEAST_INTERVAL`].
    #[must_use]
    pub fn between(mut self, floor: Duration, ceiling: Duration) -> Self {
        let floor = floor.max(Dns::LEAST_INTERVAL);
        self.between = floor..=ceiling.max(floor);
        self
    }

    /// Looks the name up at once, or as soon as the least interval allows, whenever this is notified.
    #[must_use]
    pub fn nudged_by(mut self, nudge: Arc<Notify>) -> Self {
        self.nudge = nudge;
        self
    }

    async fn wait(&mut self) {
        let earliest = self.last_at.map_or(self.next_at, |last| last + Dns::LEAST_INTERVAL);
        tokio::select! {
            () = sleep_until(self.next_at) => {}
            () = self.nudge.notified() => sleep_until(earliest).await,
        }
    }

    /// Returns what is found, or why nothing is.
    async fn look_up(&mut self) -> Result<Found, String> {
        let running =
            self.running.get_or_insert_with(|| Box::pin(self.resolver.resolve(&self.host, self.port)));
        let Ok(ended) = timeout(Dns::LATE, running).await else { return Err("the resolver is late".into()) };
        self.running = None;
        let found = ended.map_err(|error| error.to_string())?;
        // Of a service, each target has a family of its own.
        let found = if self.host.starts_with('_') { found } else { one_family(found) };
        if found.endpoints.is_empty() { Err("the name has no address".into()) } else { Ok(found) }
    }

    fn schedule(&mut self, time_to_live: Option<Duration>) {
        let (floor, ceiling) = (*self.between.start(), *self.between.end());
        let now = Instant::now();
        self.last_at = Some(now);
        self.next_at = now + time_to_live.unwrap_or(Dns::DEFAULT_INTERVAL).clamp(floor, ceiling);
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
            self.schedule(looked_up.as_ref().ok().and_then(|found| found.time_to_live));
            self.report(looked_up.as_ref().err().map(String::as_str));
            let Ok(found) = looked_up else { continue };
            let found: BTreeMap<SocketAddr, NonZeroU16> = found.endpoints.into_iter().collect();
            if found != self.known {
                self.known = found;
                return Some(self.known.keys().copied().collect());
            }
        }
    }

    fn weight(&self, endpoint: &SocketAddr) -> NonZeroU16 {
        self.known.get(endpoint).copied().unwrap_or(NonZeroU16::MIN)
    }
}

impl<R> fmt::Debug for Dns<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("between", &self.between)
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

fn one_family(mut found: Found) -> Found {
    if found.endpoints.iter().any(|(address, _)| address.is_ipv4()) {
        found.endpoints.retain(|(address, _)| address.is_ipv4());
    }
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
        Lives(u64, &'static [&'static str]),
        Fail,
        Hang(Duration, &'static [&'static str]),
    }

    struct Scripted(Arc<Mutex<VecDeque<Say>>>, Arc<Mutex<Vec<Instant>>>);

    impl Resolve for Scripted {
        fn resolve(
            &self,
            _host: &str,
            port: u16,
        ) -> impl Future<Output = io::Result<Found>> + Send + 'static {
            self.1.lock().unwrap().push(Instant::now());
            let mut script = self.0.lock().unwrap();
            let say = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
            let found = move |hosts: &[&str]| -> Found {
                hosts.iter().map(|host| SocketAddr::new(host.parse().unwrap(), port)).collect()
            };
            async move {
                match say {
                    Some(Say::Found(hosts)) => Ok(found(hosts)),
                    Some(Say::Lives(seconds, hosts)) => {
                        Ok(Found { time_to_live: Some(Duration::from_secs(seconds)), ..found(hosts) })
                    }
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
    async fn targets_of_a_service_may_be_of_two_families() {
        for (host, found) in [("_http._tcp.replica", 2), ("replica", 1)] {
            let (dns, _) = dns(&[Say::Found(&["10.0.0.1", "::1"])]);
            let mut dns = Dns::with_resolver(dns.resolver, host, 8000);
            assert_eq!(next(&mut dns).await.len(), found, "{host}");
        }
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
        let a_minute = Duration::from_secs(60);
        let mut dns = dns.between(a_minute, a_minute).nudged_by(Arc::clone(&nudge));
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

    #[tokio::test(start_paused = true)]
    async fn a_time_to_live_is_honoured_within_bounds() {
        for (seconds, expected) in [(0, Dns::FLOOR), (1, Duration::from_secs(1)), (600, Dns::CEILING)] {
            let (mut dns, asked) =
                dns(&[Say::Lives(seconds, &["10.0.0.1"]), Say::Lives(seconds, &["10.0.0.2"])]);
            next(&mut dns).await;
            next(&mut dns).await;
            let asked = asked.lock().unwrap();
            assert_eq!(asked[1] - asked[0], expected, "{seconds} s");
        }
    }
}
