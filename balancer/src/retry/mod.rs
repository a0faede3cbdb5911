//! When a request may be asked again, how often, and where.

mod budget;
mod counted;
mod declared;
mod http;
mod tried;

pub(crate) use self::{budget::Bucket, declared::Declared};
pub use self::{
    budget::RetryBudget,
    declared::RequestKind,
    http::{DEFAULT_REPLAY_BYTES, ENDPOINT, Http, HttpMark, NOT_PROCESSED, PURE, TRIES},
    tried::Tried,
};
