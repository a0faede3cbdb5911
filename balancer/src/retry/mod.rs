//! When a request may be asked again, how often, and where.

mod budget;
mod declared;
mod tried;

pub(crate) use self::{budget::Bucket, declared::Declared};
pub use self::{budget::RetryBudget, declared::RequestKind, tried::Tried};
