//! Whether the server passed, and whether the test may judge it at all.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::failure::FailureKind;
use crate::figures::Time;
use crate::plan::{Checked, Limits, MIN_STATISTICS};
use crate::record::Statistics;
use crate::report::Measured;

/// The outcome of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// No threshold was broken.
    Pass,
    /// At least one threshold was broken.
    Fail,
    /// The generator could not do what the plan asks, so nothing is said about the server.
    Invalid,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Invalid => "invalid",
        })
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Judges a run; the sentences say why it is not a pass.
pub(crate) fn judge(plan: &Checked, measured: &Measured) -> (Verdict, Vec<String>) {
    let doubts = doubts(&plan.limits, &measured.total);
    if !doubts.is_empty() {
        return (Verdict::Invalid, doubts);
    }
    let broken = plan.thresholds.iter().filter_map(|one| one.broken_by(&measured.total, measured.lasted));
    let broken: Vec<String> = broken.collect();
    (if broken.is_empty() { Verdict::Pass } else { Verdict::Fail }, broken)
}

/// Why these statistics say nothing about the server.
fn doubts(limits: &Limits, statistics: &Statistics) -> Vec<String> {
    let mut doubts = Vec::new();
    if statistics.requests() == 0 {
        doubts.push("no request ended".to_owned());
    }
    doubts.extend(lateness_doubt(limits, statistics));
    if let Some(count) = statistics.failures_by_kind().get(&FailureKind::GeneratorExhausted) {
        doubts.push(format!("the generator ran out of descriptors, ports or memory {count} times"));
    }
    doubts
}

pub(crate) fn lateness_doubt(limits: &Limits, statistics: &Statistics) -> Option<String> {
    let lateness = statistics.lateness();
    let p99 = lateness.percentile(99.0);
    let late = lateness.count() >= MIN_STATISTICS && p99 > limits.max_lateness;
    let limit = Time(limits.max_lateness);
    late.then(|| {
        format!("the generator was late: p99 {} behind its own schedule, {limit} allowed", Time(p99))
    })
}
