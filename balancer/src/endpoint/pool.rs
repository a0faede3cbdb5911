//! Connections that wait for their next request.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::time::{Instant, sleep_until};

use super::config::EndpointConfig;
use super::connection::Connection;
use crate::clock;
use crate::h1::Keep;
use crate::server::worker_number;

/// In how many parts a pool is. 16: each worker of a server has one of its own, and beyond fifteen workers two
/// share one, which costs a wake-up across threads at times.
const PARTS: usize = 16;

/// The unused connections to one replica, for each worker apart.
///
/// The youngest is taken first, so that under a falling load the oldest stay unused and are closed in time.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) address: SocketAddr,
    /// The address as text, which stands in for a missing `Host`.
    pub(super) name: String,
    pub(super) config: EndpointConfig,
    pub(super) keep: Keep,
    idle: [Mutex<Idle>; PARTS],
}

#[derive(Debug, Default)]
struct Idle {
    /// The oldest stands first.
    connections: VecDeque<(Instant, Box<Connection>)>,
    /// Whether a task watches over the ages; it lives no longer than there are connections.
    watched: bool,
}

impl Pool {
    pub(super) fn new(address: SocketAddr, config: EndpointConfig, keep: Keep) -> Arc<Self> {
        Arc::new(Self { address, name: address.to_string(), config, keep, idle: Default::default() })
    }

    /// Takes a connection that is young enough and on which nothing has happened since.
    pub(super) fn take(&self) -> Option<Box<Connection>> {
        loop {
            let (since, connection) = self.lock().connections.pop_back()?;
            if clock::now().saturating_duration_since(since) >= self.config.idle_timeout {
                // The ones before it are older still. They are dropped outside the lock.
                let rest = std::mem::take(&mut self.lock().connections);
                drop(rest);
                return None;
            }
            if connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose last answer has ended.
    pub(super) fn put(self: &Arc<Self>, mut connection: Box<Connection>) {
        if !connection.reader.buffer.is_empty() {
            return;
        }
        connection.reset();
        let now = clock::now();
        let mut idle = self.lock();
        if idle.connections.len() >= self.config.max_idle {
            return;
        }
        idle.connections.push_back((now, connection));
        if !std::mem::replace(&mut idle.watched, true) {
            tokio::spawn(watch(Arc::downgrade(self), now + self.config.idle_timeout));
        }
    }

    /// Closes what is too old and returns when to look again.
    fn close_expired(&self) -> Option<Instant> {
        let mut expired = Vec::new();
        let mut idle = self.lock();
        while let Some((since, _)) = idle.connections.front() {
            let until = *since + self.config.idle_timeout;
            if until > Instant::now() {
                return Some(until);
            }
            expired.extend(idle.connections.pop_front());
        }
        idle.watched = false;
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Idle> {
        // Nothing in the critical sections can leave the list half changed.
        self.idle[worker_number() % PARTS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections when their time is over, also when no request comes to look at them.
async fn watch(pool: Weak<Pool>, mut until: Instant) {
    loop {
        sleep_until(until).await;
        let Some(pool) = pool.upgrade() else { return };
        match pool.close_expired() {
            Some(next) => until = next,
            None => return,
        }
    }
}
