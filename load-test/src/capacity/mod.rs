//! The answer to "what do I need to hold this many users?".
//!
//! A [`Survey`] measures a server at low load, predicts what it holds, looks for the real limit by
//! [`highest_held`], and says in sentences what it found ([`Findings`]). The parts serve alone too:
//! the search over any probe, the law of [`Scalability`], the [`CpuQuota`] and [`MemoryLimit`] of a control group.

mod baseline;
mod findings;
mod hook;
mod html;
mod level;
mod limits;
mod memory;
mod pictures;
mod quota;
mod room;
mod scalability;
mod search;
mod sentences;
mod survey;
mod sweep;

pub use baseline::Baseline;
pub use findings::{Findings, Prediction, Resources};
pub use hook::Hook;
pub use level::Level;
pub use memory::MemoryLimit;
pub use quota::CpuQuota;
pub use room::Place;
pub use scalability::{Residual, Scalability};
pub use search::{Approach, Found, Ladder, Outcome, highest_held};
pub use survey::Survey;
pub use sweep::{Scale, Share, Sweep};

/// Returns the users at which a closed loop saturates a server, N* = X·(Z + R): `rate` requests a second at
/// saturation, `think_time` and `latency_at_rest` in seconds (Denning and Buzen, *The Operational Analysis of
/// Queueing Network Models*, 1978).
///
/// ```
/// assert_eq!(martello_load_test::capacity::knee(5_000.0, 1.75, 0.25), 10_000.0);
/// ```
#[must_use]
pub fn knee(rate: f64, think_time: f64, latency_at_rest: f64) -> f64 {
    rate * (think_time + latency_at_rest)
}
