//! Many services as one: [`Balance`], its endpoints, and what it must know of requests and answers.

mod attempt;
mod builder;
mod endpoints;
mod error;
mod future;
mod latency;
mod load;
mod node;
mod outcome;
mod protocol;
mod recent;
mod service;
mod set;
mod slow_start;
mod verdicts;

pub use self::{
    builder::{BalanceBuilder, DEFAULT_MAX_TRIES},
    endpoints::Endpoints,
    error::{BalanceError, NoEndpoint},
    future::ResponseFuture,
    load::{InFlight, Load},
    outcome::{FailureKind, Outcome},
    protocol::{Plain, Protocol, Repeat, Repeatable, Verdict},
    service::Balance,
};
pub(crate) use self::{latency::Latencies, node::Member, set::Set, verdicts::Evidence};
