//! How this crate speaks HTTP: calls that can be sent again, through a stack of tower layers.
//!
//! From the outside in: trace, retry (full jitter, `Retry-After`, only where repeating does no harm), a limit on calls in
//! flight, a timeout per attempt, credentials, and the wire. A [`Call`] is plain data, so an attempt is a clone of it; the last
//! layer turns whatever a server or a proxy in between answers into a reply or a [`Failure`] that knows whether the server
//! may have done the work.

mod auth;
mod call;
mod connector;
mod decode;
mod failure;
mod payload;
mod proxies;
mod reply;
mod retry;
mod server;
mod stack;
mod target;
mod timeout;
mod trace;
mod wire;

pub use auth::Credentials;
pub use connector::{TlsOptions, Trust};
pub use failure::ServerAnswer;
pub use proxies::Proxies;
pub use stack::HttpOptions;

pub(crate) use call::{Answer, Call, Safety};
pub(crate) use failure::Failure;
pub(crate) use payload::{FilePayload, Payload};
pub(crate) use reply::Reply;
#[cfg(test)]
pub(crate) use reply::ReplyBody;
#[cfg(feature = "s3")]
pub(crate) use retry::full_jitter;
pub(crate) use server::Server;
pub(crate) use stack::Http;
pub(crate) use target::Target;
