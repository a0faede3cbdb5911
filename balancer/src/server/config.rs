//! What a server grants its clients.

use std::time::Duration;

use crate::h1::{Limits, Underscores, Upgrades};

/// Settings of a [`serve`](super::serve)d listener.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Threads that serve connections, each with a runtime and with connections to replicas of its own. Default: 0,
    /// the runtime that the server is called on does it all, which is best within a program of yours that has
    /// other work. A program that does nothing else gives it as many as there are processors, unless there is
    /// only one: a request then never crosses from one thread to another.
    pub workers: usize,
    /// Limits on requests. Default: [`Limits::for_requests`].
    pub limits: Limits,
    /// What becomes of fields whose names have an underscore. Default: [`Underscores::Drop`], as nginx.
    pub underscores: Underscores,
    /// Whether a client may ask a replica to go on in another protocol. Default: [`Upgrades::Off`], as nginx.
    pub upgrades: Upgrades,
    /// How long nothing may move in a connection that has gone on in another protocol. Default: 300 s, several times
    /// the pause between two heartbeats of common WebSocket libraries (20 to 60 s): who is silent for longer is gone.
    pub tunnel_idle: Duration,
    /// The largest request body of known length that is taken in whole before a replica is asked, in bytes.
    /// Default: 64 KiB. Such a request does not occupy a replica while a slow client sends it, and can be repeated.
    pub held_request: usize,
    /// How long a head may take from its first byte to its last. Default: 30 s; half of nginx's, whose clients
    /// were slower.
    pub head_timeout: Duration,
    /// How long a body may pause. Default: 30 s, the replaced system's `proxy_send_timeout`.
    pub body_pause: Duration,
    /// How long a whole body may take. Default: 300 s, which asks for 35 KB/s at the largest body allowed.
    pub body_timeout: Duration,
    /// How long a connection without a request is kept. Default: 75 s, nginx's `keepalive_timeout`, which is
    /// longer than common clients keep theirs, so that it is they who close first.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of an answer. Default: 30 s, the replaced system's `send_timeout`.
    pub write_pause: Duration,
    /// How long what a client still sends after its last answer is read and thrown away, so that the answer is not
    /// lost in a reset (RFC 9112 section 9.6). Default: 2 s.
    pub linger: Duration,
    /// How many connections are served at once; more wait in the listener's backlog. Default: 32,768, three times
    /// the users that the replaced system was to hold. A [`Balancer`](crate::Balancer) lowers it to what the limit on
    /// open files allows.
    pub max_connections: usize,
    /// When shutting down, how long idle connections are still listened to, their next answer saying
    /// `Connection: close`: a request that was already on its way is answered and not reset. Default: 500 ms.
    pub drain_notice: Duration,
    /// When shutting down, how long requests under way may take before they are cut off; and when a replica leaves, how
    /// long its connections may go on in another protocol. Default: 30 s, as long as a replica may take to answer.
    pub drain_grace: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            workers: 0,
            limits: Limits::for_requests(),
            underscores: Underscores::default(),
            upgrades: Upgrades::default(),
            tunnel_idle: Duration::from_secs(300),
            held_request: 64 * 1024,
            head_timeout: Duration::from_secs(30),
            body_pause: Duration::from_secs(30),
            body_timeout: Duration::from_secs(300),
            idle_timeout: Duration::from_secs(75),
            write_pause: Duration::from_secs(30),
            linger: Duration::from_secs(2),
            max_connections: 32 * 1024,
            drain_notice: Duration::from_millis(500),
            drain_grace: Duration::from_secs(30),
        }
    }
}
