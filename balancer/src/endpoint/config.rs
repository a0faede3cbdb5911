//! How an endpoint's connections are made, kept and given up.

use std::time::Duration;

use crate::h1::Limits;

/// Settings of an [`HttpEndpoint`](super::HttpEndpoint).
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// How long a connection may take to be made. Default: 10 s, the replaced system's `proxy_connect_timeout`.
    pub connect_timeout: Duration,
    /// How long a replica may neither take nor send a byte while a request is under way. Default: 30 s, the
    /// replaced system's `proxy_read_timeout`.
    pub progress_timeout: Duration,
    /// How long an unused connection is kept. Default: 4 s, less than the shortest keep-alive time among common
    /// servers (uvicorn: 5 s), so that it is we who close first and a request never meets a closing connection.
    pub idle_timeout: Duration,
    /// How many unused connections are kept, by each worker of the server. Default: 1,024, as many as the clients
    /// that a worker may have over a single replica without making a connection for each request; beyond that
    /// connections are closed after use.
    pub max_idle: usize,
    /// The largest answer that is held until it is whole, in bytes. Default: 64 KiB. A held answer cannot be cut off half way
    /// to the client; a larger one streams, and so does one that comes in chunks, unless it declares itself to be that
    /// of a pure function and can be asked for again.
    pub held_response: usize,
    /// Limits on the heads of answers. Default: [`Limits::for_responses`].
    pub limits: Limits,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            progress_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(4),
            max_idle: 1024,
            held_response: 64 * 1024,
            limits: Limits::for_responses(),
        }
    }
}
