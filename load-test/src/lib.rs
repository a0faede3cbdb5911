#![doc = include_str!("../README.md")]

mod arrivals;
mod body;
pub mod capacity;
mod check;
mod draw;
mod engine;
mod error;
mod failure;
mod figures;
#[cfg(feature = "histogram-log")]
pub mod histogram_log;
pub mod live;
mod plan;
mod preflight;
mod record;
mod report;
mod request;
mod scenario;
mod target;
mod think_time;
mod threshold;
mod tick;
mod usage;
mod verdict;
mod wire;

pub use arrivals::Arrivals;
pub use check::Check;
pub use error::{Error, ErrorKind, Result};
pub use failure::FailureKind;
pub use http::Method;
pub use plan::{
    DEFAULT_ENDPOINT_HEADER, DEFAULT_RUN_TIME, DEFAULT_SPAWN_RATE, DEFAULT_THINK_TIME, DEFAULT_USERS, Goal,
    Limits, Plan, PlanBuilder, Shape, Step, parse_run_time,
};
pub use preflight::Preflight;
pub use record::{EndpointCounts, Latencies, RequestStatistics, Statistics};
pub use report::{EVEN_WITHIN, EndpointShare, Report, Spread, StepReport};
pub use request::RequestTemplate;
pub use scenario::{MAX_SCENARIO_BYTES, Scenario};
pub use think_time::ThinkTime;
pub use threshold::Threshold;
pub use tick::{Progress, Tick};
pub use usage::ProcessUsage;
pub use verdict::Verdict;
