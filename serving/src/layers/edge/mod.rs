//! What stands around a service that strangers reach, out of `tower-http`.
//!
//! From the outside in: headers that hold secrets are marked, so that no log shows them; a request gets an id, unless it
//! brought one in `x-request-id`, and the answer carries it; everything that is logged on the way stands in a span with
//! that id and with the trace that the caller names in `traceparent` (W3C Trace Context); a panic is answered 500 and the
//! connection lives on. With the feature `otlp` the span is a child of the caller's, and is exported.
//!
//! No replica has it unless it is added: behind a balancer of ours, ids are given and panics are seen there.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use martello_serving::layers::edge::EdgeLayer;
//! use tower::{Layer as _, ServiceExt as _, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let broken = service_fn(|_: Request<Full<Bytes>>| async {
//!     if true { panic!("a bug") }
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//! });
//! let request = Request::builder().header("x-request-id", "7").body(Full::default()).unwrap();
//! let answer = EdgeLayer::new().layer(broken).oneshot(request).await.unwrap();
//! assert_eq!(answer.status(), 500);
//! assert_eq!(answer.headers()["x-request-id"], "7");
//! # }
//! ```

mod trace_context;

use std::any::Any;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use tower::Layer;
use tower_http::catch_panic::{CatchPanic, CatchPanicLayer, ResponseForPanic};
use tower_http::classify::{ServerErrorsAsFailures, SharedClassifier};
use tower_http::request_id::{MakeRequestId, PropagateRequestId, RequestId, SetRequestId};
use tower_http::sensitive_headers::SetSensitiveRequestHeaders;
use tower_http::trace::{MakeSpan, OnResponse, Trace};
use tracing::Span;
use tracing::field::{Empty, display};

pub use self::trace_context::{InvalidTraceParent, TRACEPARENT, TraceId, TraceParent};
use crate::api::reply;

/// The header that carries the id of a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers of requests that hold secrets.
const SENSITIVE: [HeaderName; 3] = [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE];

/// Puts an [`Edge`] around a service.
#[derive(Debug, Clone)]
pub struct EdgeLayer {
    ids: Ids,
}

/// A service with everything of this module around it.
pub type Edge<S> =
    SetSensitiveRequestHeaders<SetRequestId<Spans<PropagateRequestId<CatchPanic<S, PanicAnswer>>>, Ids>>;

/// Puts each request into a span; events are left to whoever has something to say.
type Spans<S> = Trace<S, SharedClassifier<ServerErrorsAsFailures>, RequestSpan, (), RequestSpan, (), (), ()>;

impl EdgeLayer {
    /// Creates the layer.
    #[must_use]
    pub fn new() -> Self {
        Self { ids: Ids::new() }
    }
}

impl Default for EdgeLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        let caught = CatchPanicLayer::custom(PanicAnswer).layer(inner);
        let traced = Trace::new_for_http(PropagateRequestId::new(caught, REQUEST_ID))
            .make_span_with(RequestSpan)
            .on_request(())
            .on_response(RequestSpan)
            .on_body_chunk(())
            .on_eos(())
            .on_failure(());
        let named = SetRequestId::new(traced, REQUEST_ID, self.ids.clone());
        SetSensitiveRequestHeaders::new(named, SENSITIVE)
    }
}

/// Ids that no other process gives: a random part for the process and a count.
#[derive(Debug, Clone)]
pub struct Ids {
    process: u64,
    // Shared by the clones: a count is given once.
    next: Arc<AtomicU64>,
}

impl Ids {
    fn new() -> Self {
        // The standard library's hasher is seeded by the system for each process; ids need to differ, not to be secret.
        Self { process: RandomState::new().hash_one(std::process::id()), next: Arc::default() }
    }
}

impl MakeRequestId for Ids {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:016x}-{number:x}", self.process);
        HeaderValue::try_from(id).ok().map(RequestId::new)
    }
}

/// The span of a request, in the words of OpenTelemetry: method, path without the query, which may hold secrets, and
/// status; besides the id of the request and the trace that it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct RequestSpan;

impl<B> MakeSpan<B> for RequestSpan {
    fn make_span(&mut self, request: &Request<B>) -> Span {
        let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let trace = TraceParent::from_headers(request.headers()).map(|parent| display(parent.trace()));
        let span = tracing::info_span!(
            "request",
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = %request.method(),
            http.response.status_code = Empty,
            url.path = request.uri().path(),
            id,
            trace,
        );
        #[cfg(feature = "otlp")]
        crate::otlp::continue_trace(&span, request.headers());
        span
    }
}

impl<B> OnResponse<B> for RequestSpan {
    fn on_response(self, answer: &Response<B>, _: Duration, span: &Span) {
        span.record("http.response.status_code", answer.status().as_u16());
        if answer.status().is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
    }
}

/// The answer for a request whose handling panicked.
#[derive(Debug, Clone, Copy)]
pub struct PanicAnswer;

impl ResponseForPanic for PanicAnswer {
    type ResponseBody = Full<Bytes>;

    fn response_for_panic(&mut self, _: Box<dyn Any + Send + 'static>) -> Response<Full<Bytes>> {
        // The message was told by the panic hook; the caller has no use for it.
        tracing::error!("a request panicked");
        reply::detail(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    }
}
