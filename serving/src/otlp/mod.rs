//! Spans for an OpenTelemetry collector, by OTLP over HTTP; needs the feature `otlp`.
//!
//! The [edge](crate::layers::edge) puts each request into a span. With [`Otlp::layer`] in the process' subscriber these spans
//! are exported in batches, each as a child of the span that the caller names in `traceparent`. What the standard says of
//! the environment holds: `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`, `OTEL_EXPORTER_OTLP_HEADERS`.
//!
//! ```
//! use martello_serving::otlp::Otlp;
//! use tracing_subscriber::layer::SubscriberExt as _;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), martello_serving::Error> {
//! let otlp = Otlp::new("http://127.0.0.1:4318", "replica")?;
//! let subscriber = tracing_subscriber::registry().with(otlp.layer());
//! // tracing::subscriber::set_global_default(subscriber), serve, and at the end:
//! # drop(subscriber);
//! otlp.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod client;

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::registry::LookupSpan;

use self::client::Client;
use crate::layers::edge::TraceParent;
use crate::{Error, ErrorKind};

/// What the standard appends to a collector's address.
const TRACES: &str = "/v1/traces";

/// An exporter of spans.
#[derive(Debug)]
pub struct Otlp {
    provider: SdkTracerProvider,
}

impl Otlp {
    /// Prepares to export to a collector, such as `http://127.0.0.1:4318`, in the name of a service. Must be called in the
    /// runtime that will carry the requests.
    ///
    /// # Errors
    /// [`ErrorKind::Telemetry`] if the address is none.
    pub fn new(collector: &str, service: &str) -> Result<Self, Error> {
        let base = collector.trim_end_matches('/');
        let endpoint = if base.ends_with(TRACES) { base.to_owned() } else { format!("{base}{TRACES}") };
        let exporter =
            SpanExporter::builder().with_http().with_http_client(Client::new()).with_endpoint(endpoint);
        let exporter = exporter.build().map_err(|error| {
            Error::new(ErrorKind::Telemetry, format!("cannot export to {base:?}")).with_source(error)
        })?;
        let resource = Resource::builder().with_service_name(service.to_owned()).build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        Ok(Self { provider })
    }

    /// Returns the layer of a subscriber that exports the spans of level `INFO` and above.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let tracer = self.provider.tracer(env!("CARGO_PKG_NAME"));
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        // Of a span of microseconds nobody asks for the source line, the thread or the time that it was idle.
        let layer = layer.with_location(false).with_threads(false).with_tracked_inactivity(false);
        layer.with_filter(LevelFilter::INFO)
    }

    /// Exports what is left.
    pub async fn shutdown(self) {
        // It waits for requests that this runtime carries.
        let done = tokio::task::spawn_blocking(move || self.provider.shutdown()).await;
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last spans were not exported"),
            Err(error) => tracing::warn!(%error, "the last spans were not exported"),
        }
    }
}

/// Makes a span a child of the one that the caller names.
pub(crate) fn continue_trace(span: &Span, headers: &HeaderMap) {
    if TraceParent::from_headers(headers).is_some() {
        let parent = TraceContextPropagator::new().extract(&Headers(headers));
        // Without the layer there is nothing that could have a parent.
        let _ = span.set_parent(parent);
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
