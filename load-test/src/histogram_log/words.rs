//! What stands in the comments of a log: everything that is no histogram.

use serde::{Deserialize, Serialize};

use crate::plan::{Checked, Load};
use crate::record::Counts;
use crate::report::Report;
use crate::usage::ProcessUsage;

/// Name and version of these comments; the number rises when a field changes its meaning or goes away.
pub(super) const SCHEMA: &str = "martello-load-test/log/1";

/// What a comment for this crate begins with.
pub(super) const MARK: &str = "#[martello] ";

/// The tag of the generator's own lateness.
pub(super) const LATENESS: &str = "lateness";

/// What the tag of failed requests ends with.
pub(super) const FAILED: &str = "!failed";

/// One comment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    Plan(PlanWord),
    Second(SecondWord),
    End(EndWord),
}

/// What the generator was asked to do; those of all logs must agree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PlanWord {
    pub(super) schema: String,
    pub(super) hosts: Vec<String>,
    /// Method and name of each request.
    pub(super) requests: Vec<[String; 2]>,
    /// Of a closed loop, as `ThinkTime` writes and reads it.
    pub(super) think_time: Option<String>,
    /// Of an open loop, as `Arrivals` writes and reads it.
    pub(super) arrivals: Option<String>,
    pub(super) thresholds: Vec<String>,
    pub(super) max_lateness_seconds: f64,
}

/// One second, written behind its histograms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SecondWord {
    pub(super) elapsed_seconds: f64,
    pub(super) lasted_seconds: f64,
    pub(super) users: usize,
    /// The users of the step if all of them were at work.
    pub(super) held_users: Option<usize>,
    pub(super) counts: Counts,
}

/// What is known at the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct EndWord {
    pub(super) lasted_seconds: f64,
    pub(super) stopped_early: bool,
    pub(super) generator: UsageWord,
    pub(super) watched: Vec<UsageWord>,
    pub(super) warnings: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct UsageWord {
    pub(super) pid: u32,
    pub(super) cpu_seconds: f64,
    pub(super) peak_memory_bytes: u64,
}

impl From<&ProcessUsage> for UsageWord {
    fn from(usage: &ProcessUsage) -> Self {
        Self { pid: usage.pid, cpu_seconds: usage.cpu.as_secs_f64(), peak_memory_bytes: usage.peak_memory }
    }
}

impl From<&Checked> for PlanWord {
    fn from(plan: &Checked) -> Self {
        let requests = plan.requests().iter().map(|one| [one.method().to_string(), one.name.clone()]);
        let (think_time, arrivals) = match &plan.load {
            Load::Closed { think_time, .. } => (Some(think_time.to_string()), None),
            Load::Open { arrivals, .. } => (None, Some(arrivals.to_string())),
        };
        Self {
            schema: SCHEMA.to_owned(),
            hosts: plan.aims.iter().map(|aim| aim.target.url().to_owned()).collect(),
            requests: requests.collect(),
            think_time,
            arrivals,
            thresholds: plan.thresholds.iter().map(ToString::to_string).collect(),
            max_lateness_seconds: plan.limits.max_lateness.as_secs_f64(),
        }
    }
}

impl From<&Report> for EndWord {
    fn from(report: &Report) -> Self {
        Self {
            lasted_seconds: report.lasted().as_secs_f64(),
            stopped_early: report.stopped_early(),
            generator: report.generator().into(),
            watched: report.watched_processes().iter().map(UsageWord::from).collect(),
            warnings: report.warnings().to_vec(),
        }
    }
}

/// The tag of one request: other tools show it, so it says what it is; commas, white space and the mark of failures
/// would end it.
pub(super) fn tag(place: usize, method: &str, name: &str) -> String {
    let safe = |c: char| if c.is_whitespace() || c.is_control() || matches!(c, ',' | '!') { '_' } else { c };
    format!("{place}:{method}:{}", name.chars().map(safe).collect::<String>())
}

/// The place of a request and whether it failed, from its tag.
pub(super) fn parse_tag(tag: &str) -> Option<(usize, bool)> {
    let (tag, failed) = tag.strip_suffix(FAILED).map_or((tag, false), |tag| (tag, true));
    Some((tag.split_once(':')?.0.parse().ok()?, failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_say_which_request_they_mean_whatever_its_name_is() {
        for (place, name) in ["/predict", "a, b\nc!failed", "", "1:GET:/x"].into_iter().enumerate() {
            let written = tag(place, "POST", name);
            assert!(!written.contains([',', ' ', '\n', '!']), "{written}");
            assert_eq!(parse_tag(&written), Some((place, false)));
            assert_eq!(parse_tag(&format!("{written}{FAILED}")), Some((place, true)));
        }
        assert_eq!((parse_tag("x"), parse_tag("x:y")), (None, None));
    }
}
