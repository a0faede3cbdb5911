//! Whether the server passed, and whether the test may judge it at all.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::failure::FailureKind;
use crate::figures::Time;
use crate::plan::{Checked, Limits};
use crate::record::Statistics;
use crate::report::Measured;

/// The fewest samples from which the 99th percentile of lateness is judged: below, it is one slow wake-up.
const FEWEST_SAMPLES: u64 = 100;

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
pub(crate) fn doubts(limits: &Limits, statistics: &Statistics) -> Vec<String> {
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

/// Says so if the generator could not keep its own schedule.
pub(crate) fn lateness_doubt(limits: &Limits, statistics: &Statistics) -> Option<String> {
    let lateness = statistics.lateness();
    let p99 = lateness.percentile(99.0);
    let late = lateness.count() >= FEWEST_SAMPLES && p99 > limits.max_lateness;
    let limit = Time(limits.max_lateness);
    late.then(|| {
        format!("the generator was late: p99 {} behind its own schedule, {limit} allowed", Time(p99))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::Sample;

    fn statistics(requests: u64, lateness: Duration, failure: Option<FailureKind>) -> Statistics {
        let mut statistics = Statistics::new(1);
        for _ in 0..requests {
            let mut sample = Sample::of(0);
            (sample.lateness, sample.failure) = (Some(lateness), failure);
            statistics.record(&sample);
        }
        statistics
    }

    #[test]
    fn statistics_are_doubted_exactly_when_they_say_nothing_about_the_server() {
        let doubts = |requests, lateness_ms, failure| {
            let statistics = statistics(requests, Duration::from_millis(lateness_ms), failure);
            doubts(&Limits::default(), &statistics).join("; ")
        };
        assert_eq!(doubts(1_000, 10, None), "");
        assert_eq!(doubts(1_000, 10, Some(FailureKind::ConnectRefused)), "");
        assert_eq!(doubts(0, 0, None), "no request ended");
        assert_eq!(doubts(99, 1_000, None), "");
        assert!(doubts(100, 1_000, None).starts_with("the generator was late: p99 1.00 s"));
        assert!(doubts(3, 0, Some(FailureKind::GeneratorExhausted)).contains("or memory 3 times"));
    }
}
