//! HTTP/1.1 on the wire, both sides: heads, framing, limits and strictness in one place (RFC 9112).
//!
//! The codec does no I/O of its own and keeps no clock. [`request`] and [`response`] turn bytes into checked heads,
//! [`framing`] decides where a body ends, [`decoder`] takes bodies off the bytes of a connection, [`encode`] and
//! [`outgoing`] put messages on. A server and a client differ in who is to blame for a [`violation`], no more.

mod alarm;
mod body;
mod chunked;
mod decoder;
mod encode;
mod fields;
mod framing;
mod host;
mod known;
mod limits;
mod numbers;
mod outgoing;
#[cfg(test)]
mod properties;
mod reader;
pub(crate) mod request;
pub(crate) mod response;
mod rules;
mod scan;
mod spare;
mod target;
mod tunnel;
mod underscores;
mod upgrade;
mod verbatim;
mod violation;

pub use body::Body;
pub use limits::Limits;
pub use underscores::Underscores;
pub use upgrade::Upgrades;

pub(crate) use alarm::Alarm;
pub(crate) use decoder::{Decoded, Decoder, Ready};
pub(crate) use encode::{
    Persistence, interim as encode_interim, request as encode_request, response as encode_response,
};
pub(crate) use fields::Keep;
pub(crate) use framing::{Framing, RequestMethod};
#[cfg(feature = "fuzzing")]
pub(crate) use known::Head;
pub(crate) use known::Heads;
pub(crate) use outgoing::{Failure, Outgoing};
pub(crate) use reader::{Expect, Reader};
pub(crate) use rules::Rules;
pub(crate) use scan::HeadScan;
pub(crate) use tunnel::Tunnel;
pub(crate) use upgrade::Upgrade;
pub(crate) use violation::Violation;
