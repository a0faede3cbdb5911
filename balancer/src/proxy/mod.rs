//! What a proxy takes out of messages and adds to them (RFC 9110 section 7.6).
//!
//! [`Proxy`] stands between a server and whatever balances. It removes what concerns one hop only
//! ([`hop_by_hop`]), tells the replica who asked ([`forwarded`], as far as it can be believed: [`hops`]) and answers itself what may go no further.

mod forwarded;
mod future;
mod hop_by_hop;
mod hops;
mod max_forwards;
mod service;
mod via;

pub use future::ProxyFuture;
pub(crate) use hops::client;
pub use service::{Proxy, ProxyRules};
pub use via::Via;
