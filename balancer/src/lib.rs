//! Many replicas look like one: tower services behind a round robin, and an HTTP/1.1 proxy around it.

mod balance;
mod health;
pub mod policy;
mod retry;
mod status;

mod endpoint;
mod error;
mod h1;
mod server;

pub use balance::{
    Balance, BalanceBuilder, BalanceError, DEFAULT_MAX_TRIES, Endpoints, FailureKind, InFlight, Load,
    NoEndpoint, Outcome, Plain, Protocol, Repeat, Repeatable, ResponseFuture, Route, Verdict,
};
pub use endpoint::EndpointConfig;
pub use error::{Error, ErrorKind, Fault, Stage};
pub use h1::{Body, Limits};
pub use health::{EndpointState, OutlierDetection};
pub use retry::{RequestKind, RetryBudget, Tried};
pub use server::{ConnectionCounts, ConnectionStats};
pub use status::{EndpointSnapshot, LatencySnapshot, Snapshot};
