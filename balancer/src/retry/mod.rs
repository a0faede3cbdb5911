//! When a request may be asked again, how often, and where.

mod budget;
mod counted;
mod declared;
mod http;
mod tried;
mod try_timeout;

pub(crate) use self::{
    budget::Bucket,
    counted::{Kept, counted},
    declared::Declared,
    http::is_of_a_failing_endpoint,
    try_timeout::Patience,
};
pub use self::{
    budget::RetryBudget,
    declared::RequestKind,
    http::{DEFAULT_REPLAY_BYTES, ENDPOINT, Http, HttpMark, NOT_PROCESSED, PURE, TRIES},
    tried::Tried,
    try_timeout::TryTimeout,
};
