//! Counts the requests of any HTTP service for Prometheus, in the names of OpenTelemetry's conventions:
//! `http_server_requests_total{method,code}`, `http_server_request_duration_seconds{method}`, `http_server_active_requests`.
//!
//! A replica counts its predictions by itself, by model and version, and shows them at `/metrics`; this is for services of
//! your own. The figures are put into a registry of yours, which
//! [`prometheus_text::encode`](prometheus_client::encoding::prometheus_text::encode) writes.
//!
//! ```
//! use http::{Request, Response};
//! use martello_serving::layers::metrics::MetricsLayer;
//! use martello_serving::prometheus_client::{encoding::prometheus_text, registry::Registry};
//! use tower::{Layer as _, ServiceExt as _, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut registry = Registry::default();
//! let hello = service_fn(|_: Request<()>| async { Ok::<_, std::convert::Infallible>(Response::new(())) });
//! let service = MetricsLayer::registered_in(&mut registry).layer(hello);
//! service.oneshot(Request::get("/").body(())?).await?;
//!
//! let mut text = String::new();
//! prometheus_text::encode(&mut text, &registry)?;
//! assert!(text.contains("http_server_requests_total{method=\"GET\",code=\"200\"} 1\n"), "{text}");
//! # Ok(())
//! # }
//! ```

use std::time::Instant;

use http::{Method, Request, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::observe::{Observe, ObserveLayer};

/// Upper bounds of the buckets in seconds: those that OpenTelemetry advises for HTTP servers.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Counts what a service answers.
pub type MetricsLayer = ObserveLayer<Metrics>;

/// The figures; clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    requests: Family<Answered, Counter>,
    seconds: Family<Asked, Histogram, fn() -> Histogram>,
    active: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    code: u32,
}

impl MetricsLayer {
    /// Creates the layer, and puts its figures into a registry.
    #[must_use]
    pub fn registered_in(registry: &mut Registry) -> Self {
        let metrics = Metrics {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BOUNDS)),
            active: Gauge::default(),
        };
        let Metrics { requests, seconds, active } = metrics.clone();
        registry.register("http_server_requests", "Requests that were answered", requests);
        let help = "Time from the head of a request to the head of its answer";
        registry.register("http_server_request_duration_seconds", help, seconds);
        registry.register("http_server_active_requests", "Requests that are not answered yet", active);
        Self::with(metrics)
    }
}

impl Observe for Metrics {
    type Seen = Active;

    fn request<B>(&self, request: &Request<B>) -> Active {
        self.active.inc();
        Active { method: known(request.method()), begun: Instant::now(), active: self.active.clone() }
    }

    fn answer<R>(&self, seen: &Active, answer: &mut Response<R>) {
        let (method, code) = (seen.method, answer.status().as_u16().into());
        self.requests.get_or_create(&Answered { method, code }).inc();
        self.seconds.get_or_create(&Asked { method }).observe(seen.begun.elapsed().as_secs_f64());
    }
}

/// A request that is not answered yet; also when nobody waits for the answer any more, it is one less.
#[derive(Debug)]
pub struct Active {
    method: &'static str,
    begun: Instant,
    active: Gauge,
}

impl Drop for Active {
    fn drop(&mut self) {
        self.active.dec();
    }
}

/// Returns the name of a method that everybody knows: what a client makes up is no label.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}
