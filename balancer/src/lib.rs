#![doc = include_str!("../README.md")]

mod access_log;
mod admin;
mod balance;
mod balancer;
mod clock;
pub mod discovery;
mod health;
pub mod policy;
mod retry;
mod status;

mod endpoint;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod h1;
mod interim;
mod keyed_hash;
mod proxy;
mod server;

pub use access_log::{AccessLog, AccessLogFormat};
pub use admin::{AdminConfig, AdminToken};
pub use balance::{
    Balance, BalanceBuilder, BalanceError, DEFAULT_MAX_TRIES, Endpoints, FailureKind, InFlight, Load,
    NoEndpoint, Outcome, Plain, Protocol, Repeat, Repeatable, ResponseFuture, Verdict,
};
pub use balancer::{
    AdmissionCounts, AdmissionLimits, Balancer, BalancerBuilder, HttpBalance, Replicas, Status, Upstream,
};
pub use endpoint::{EndpointConfig, Exchange, HttpEndpoint};
pub use error::{Error, ErrorKind, Fault, Stage};
pub use h1::{Body, Limits, Underscores, Upgrades};
pub use health::{EndpointState, OutlierDetection, Probe, ProbeTarget};
pub use proxy::{Proxy, ProxyFuture, ProxyRules, Via};
pub use retry::{
    DEFAULT_REPLAY_BYTES, ENDPOINT, Http, HttpMark, NOT_PROCESSED, PURE, RequestKind, RetryBudget, TRIES,
    Tried, TryTimeout,
};
pub use server::{BACKLOG, ConnectionCounts, ConnectionStats, ServerConfig, listen, serve};
pub use status::{EndpointSnapshot, LatencySnapshot, Snapshot, StatusPaths, nginx_status, prometheus};
