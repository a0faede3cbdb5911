//! Reads the whole body of a request, under a limit and a deadline, before the service inside sees it.
//!
//! A handler that needs the whole body anyway becomes simple: it takes `Request<Bytes>`. A body that is too long is
//! answered 413 (at once, if its length was announced), one that does not arrive in time 408, one that breaks off 400.
//! A body that is already there in one piece is handed on without being copied.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use martello_serving::{Limits, layers::read_body::ReadBodyLayer};
//! use tower::{Layer as _, ServiceExt as _, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let length = service_fn(|request: Request<Bytes>| async move {
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(request.body().len().to_string())))
//! });
//! let service = ReadBodyLayer::new(&Limits { body_bytes: 5, ..Limits::default() }).layer(length);
//!
//! let answer = service.clone().oneshot(Request::new(Full::<Bytes>::from("12345"))).await.unwrap();
//! assert_eq!(answer.status(), 200);
//! let answer = service.oneshot(Request::new(Full::<Bytes>::from("123456"))).await.unwrap();
//! assert_eq!(answer.status(), 413);
//! # }
//! ```

mod collect;
mod future;
mod layer;
mod service;

pub use self::future::ResponseFuture;
pub use self::layer::ReadBodyLayer;
pub use self::service::ReadBody;
