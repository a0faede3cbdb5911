//! Sheds requests beyond a number in flight, or that would wait too long, before anything of them is read.
//!
//! A server past its capacity that queues answers everybody too late; one that refuses the excess at once keeps its
//! capacity for the rest. The refusal is 503 with `Retry-After` and the header that says the request was not processed,
//! so that a balancer may send it to another replica.
//!
//! Where a request waits depends on the model. One that answers in microseconds is asked by the thread that reads the
//! requests, so nothing is ever in flight beside it: what waits are requests that the event loop has not come to, and the
//! [server](crate::server) says of each how long ([`Arrived`]). One that takes long is asked by [`Workers`](crate::Workers),
//! who know what waits for them. Each of the two waits is bounded in time: to 3 ms while more comes than can be answered (half
//! of it, or three questions, where workers are asked), to 100 ms while it is only a burst
//! ([`Limits::queue_delay`](crate::Limits::queue_delay), [`burst_delay`](crate::Limits::burst_delay)).
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use martello_serving::layers::admission::AdmissionLayer;
//! use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let slow = service_fn(|_: Request<()>| std::future::pending::<Result<Response<Full<Bytes>>, std::convert::Infallible>>());
//! let mut service = AdmissionLayer::new(1).layer(slow);
//!
//! let admitted = service.call(Request::new(()));
//! let shed = service.call(Request::new(())).await.unwrap();
//! assert_eq!(shed.status(), 503);
//! assert_eq!(shed.headers()["martello-not-processed"], "shed");
//! drop(admitted);
//! assert_eq!(service.in_flight(), 0);
//! # }
//! ```

mod arrived;
mod future;
mod layer;
mod permits;
mod queue_delay;
mod service;

pub use self::arrived::Arrived;
pub use self::future::ResponseFuture;
pub use self::layer::AdmissionLayer;
pub use self::service::Admission;
