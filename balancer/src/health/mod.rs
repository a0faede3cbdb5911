//! Which endpoints get requests, and why the others do not.
//!
//! An endpoint is [`Ready`](EndpointState::Ready) until its own failures say otherwise
//! ([`OutlierDetection`], passive) or a probe does ([`Probe`], active). It comes back through a probe or
//! through one request on trial, never through time alone. When no endpoint is left, all of them get
//! requests (panic mode): a guess is better than a certain refusal, and a first success ends it.

mod outlier;
mod probe;
mod prober;
mod recheck;
mod state;

pub use self::{
    outlier::OutlierDetection,
    probe::{Probe, ProbeTarget},
    state::EndpointState,
};
pub(crate) use self::{
    outlier::{Comparison, Counts},
    prober::Prober,
    recheck::Recheck,
    state::Condition,
};
