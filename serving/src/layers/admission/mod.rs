//! Sheds requests beyond a number in flight, before anything of them is read.
//!
//! A server past its capacity that queues answers everybody too late; one that refuses the excess at once keeps its
//! capacity for the rest. The refusal is 503 with `Retry-After` and the header that says the request was not processed,
//! so that a balancer may send it to another replica.
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

mod future;
mod layer;
mod permits;
mod service;

pub use self::future::ResponseFuture;
pub use self::layer::AdmissionLayer;
pub use self::service::Admission;
