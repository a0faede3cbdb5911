//! Changing the replicas of a running balancer over HTTP, on a listener of its own.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /endpoints` | every replica: state, reason, weight, counts, latencies |
//! | `GET /endpoints/ADDRESS` | one of them |
//! | `POST /endpoints` `{"address": "10.0.0.7:8000", "weight": 2}` | adds one, which gets requests once it was probed; the weight is 1 unless given |
//! | `PUT /endpoints/ADDRESS/weight` `{"weight": 3}` | sets its share of the traffic relative to the others |
//! | `POST /endpoints/ADDRESS/drain` | stops sending to it; it is gone when what was sent to it is answered |
//! | `DELETE /endpoints/ADDRESS` | stops sending to it and forgets it; what was sent to it is still answered |
//! | `GET /status` | the whole [`Snapshot`](crate::Snapshot) |
//!
//! Answers are JSON. A refusal says why: `{"detail": "…", "reason": "unknown-endpoint"}`.
//!
//! Who can change where requests go can read them all, so it is off unless asked for, never shares the port of the
//! traffic, and listens on this machine only, or demands a token.

mod guard;
mod service;

use std::net::SocketAddr;

pub use self::guard::AdminToken;
pub(crate) use self::service::AdminService;
use crate::{Error, ErrorKind, Limits, ServerConfig};

/// Where the admin API listens, and what it demands.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    listen: SocketAddr,
    token: Option<AdminToken>,
}

impl AdminConfig {
    /// The largest body of a request, in bytes: an address and a number are no more.
    pub const BODY_BYTES: u64 = 4 * 1024;
    /// Connections at once: an operator, some scripts, and room for their mistakes.
    pub const CONNECTIONS: usize = 64;

    /// Returns the configuration of an API that demands this token, as `Authorization: Bearer TOKEN`, or without one
    /// answers everybody on this machine.
    ///
    /// # Errors
    /// If it would be open to other machines without a token.
    pub fn new(listen: SocketAddr, token: Option<AdminToken>) -> Result<Self, Error> {
        if token.is_none() && !listen.ip().is_loopback() {
            let why =
                format!("{listen} can be reached from other machines: set a token, or listen on 127.0.0.1");
            return Err(Error::new(ErrorKind::Local, "the admin API needs a token").because(why));
        }
        Ok(Self { listen, token })
    }

    pub(crate) fn listen(&self) -> SocketAddr {
        self.listen
    }

    pub(crate) fn token(&self) -> Option<&AdminToken> {
        self.token.as_ref()
    }

    /// How its listener serves.
    pub(crate) fn server() -> ServerConfig {
        let mut limits = Limits::for_requests();
        limits.body_bytes = Self::BODY_BYTES;
        ServerConfig { limits, max_connections: Self::CONNECTIONS, ..ServerConfig::default() }
    }
}
