//! One line of the log for every answer.
//!
//! No replica has it unless it is added: it is work for every request, and most are of no interest. The line is a `tracing`
//! event of level `INFO` with the target `martello::access`.
//!
//! ```
//! use martello_serving::{Replica, layers::access_log::AccessLogLayer};
//!
//! let replica = Replica::builder().layer(AccessLogLayer::new());
//! ```

use std::time::Instant;

use http::{Method, Request, Response, Uri};

use super::observe::{Observe, ObserveLayer};

/// The target of the events, by which a subscriber tells them from others.
pub const TARGET: &str = "martello::access";

/// Puts an access log around a service.
pub type AccessLogLayer = ObserveLayer<AccessLog>;

/// Logs method, path, status and time of every answer. The query is left out: it may hold secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct AccessLog;

impl AccessLogLayer {
    /// Creates the layer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Observe for AccessLog {
    type Seen = (Method, Uri, Instant);

    fn request<B>(&self, request: &Request<B>) -> Self::Seen {
        (request.method().clone(), request.uri().clone(), Instant::now())
    }

    fn answer<R>(&self, (method, uri, begun): &Self::Seen, answer: &mut Response<R>) {
        tracing::info!(
            target: TARGET,
            %method,
            path = uri.path(),
            status = answer.status().as_u16(),
            microseconds = begun.elapsed().as_micros(),
        );
    }
}
