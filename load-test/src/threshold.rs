//! Conditions under which a test fails, written as people say them: `p99>250ms`, `errors>0.1%`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::record::Statistics;

/// A condition under which a test fails.
///
/// | measure | meaning | limit |
/// |---|---|---|
/// | `p50`, `p99`, `p99.9`, … | that percentile of all latencies | a time: `250ms`, `1.5s`, `800us` |
/// | `mean`, `max` | mean and longest latency | a time |
/// | `errors` | failed requests | a share (`0.1%`) or a count (`0`) |
/// | `rps` | requests a second over the whole test | a number |
///
/// joined by `>`, `>=`, `<` or `<=`.
///
/// ```
/// use martello_load_test::Threshold;
///
/// let threshold: Threshold = "p99 > 250ms".parse()?;
/// assert_eq!(threshold.to_string(), "p99>250ms");
/// assert!("p99>fast".parse::<Threshold>().is_err());
/// # Ok::<(), martello_load_test::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    measure: Measure,
    comparison: Comparison,
    limit: f64,
}

/// What is compared; the limit is in seconds, a share of 1, a count or a rate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Measure {
    Percentile(f64),
    Mean,
    Max,
    ErrorShare,
    ErrorCount,
    Rate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Threshold {
    /// Returns `errors>0`: the test fails with the first failed request.
    #[must_use]
    pub const fn any_failure() -> Self {
        Self { measure: Measure::ErrorCount, comparison: Comparison::Above, limit: 0.0 }
    }

    /// The latency that a high percentile must stay below, in seconds: the line of a picture.
    pub(crate) fn latency_limit(&self) -> Option<f64> {
        let is_above = matches!(self.comparison, Comparison::Above | Comparison::AtLeast);
        (is_above && self.measure == Measure::Percentile(99.0)).then_some(self.limit)
    }

    /// Says what was measured if the condition holds, that is, if the test fails by it.
    pub(crate) fn broken_by(&self, statistics: &Statistics, lasted: Duration) -> Option<String> {
        let measured = self.measure.of(statistics, lasted);
        let holds = match self.comparison {
            Comparison::Above => measured > self.limit,
            Comparison::AtLeast => measured >= self.limit,
            Comparison::Below => measured < self.limit,
            Comparison::AtMost => measured <= self.limit,
        };
        holds.then(|| format!("{self} (measured {})", self.measure.written(measured)))
    }
}

impl Measure {
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^53 are exact")]
    fn of(self, statistics: &Statistics, lasted: Duration) -> f64 {
        match self {
            Self::Percentile(percent) => statistics.latency().percentile(percent).as_secs_f64(),
            Self::Mean => statistics.latency().mean().as_secs_f64(),
            Self::Max => statistics.latency().max().as_secs_f64(),
            Self::ErrorShare => statistics.failed_share(),
            Self::ErrorCount => statistics.failures() as f64,
            Self::Rate => statistics.requests() as f64 / lasted.as_secs_f64().max(f64::MIN_POSITIVE),
        }
    }

    fn written(self, value: f64) -> String {
        match self {
            Self::Percentile(_) | Self::Mean | Self::Max => written_time(value),
            Self::ErrorShare => format!("{}%", rounded(value * 100.0)),
            Self::ErrorCount | Self::Rate => rounded(value).to_string(),
        }
    }

    fn parse(word: &str, limit: &str) -> Option<Self> {
        Some(match word {
            "mean" | "avg" => Self::Mean,
            "max" => Self::Max,
            "errors" | "failures" if limit.ends_with('%') => Self::ErrorShare,
            "errors" | "failures" => Self::ErrorCount,
            "rps" => Self::Rate,
            _ => {
                let percent = word.strip_prefix('p')?.parse().ok()?;
                return (0.0..=100.0).contains(&percent).then_some(Self::Percentile(percent));
            }
        })
    }

    fn parse_limit(self, text: &str) -> Option<f64> {
        let number = |text: &str, unit: f64| Some(text.trim().parse::<f64>().ok()? / unit);
        let limit = match self {
            Self::Percentile(_) | Self::Mean | Self::Max => match text {
                _ if text.ends_with("ms") => number(text.strip_suffix("ms")?, 1e3),
                _ if text.ends_with("us") => number(text.strip_suffix("us")?, 1e6),
                _ => number(text.strip_suffix('s')?, 1.0),
            },
            Self::ErrorShare => number(text.strip_suffix('%')?, 100.0),
            Self::ErrorCount | Self::Rate => number(text, 1.0),
        };
        limit.filter(|value| value.is_finite() && *value >= 0.0)
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn written_time(seconds: f64) -> String {
    match seconds {
        _ if seconds >= 1.0 => format!("{}s", rounded(seconds)),
        _ if seconds >= 1e-3 || seconds == 0.0 => format!("{}ms", rounded(seconds * 1e3)),
        _ => format!("{}us", rounded(seconds * 1e6)),
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.measure {
            Measure::Percentile(percent) => write!(f, "p{percent}")?,
            Measure::Mean => f.write_str("mean")?,
            Measure::Max => f.write_str("max")?,
            Measure::ErrorShare | Measure::ErrorCount => f.write_str("errors")?,
            Measure::Rate => f.write_str("rps")?,
        }
        f.write_str(match self.comparison {
            Comparison::Above => ">",
            Comparison::AtLeast => ">=",
            Comparison::Below => "<",
            Comparison::AtMost => "<=",
        })?;
        f.write_str(&self.measure.written(self.limit))
    }
}

impl FromStr for Threshold {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::text(format!(
                "threshold {text:?} {what}; write it as p99>250ms, mean>20ms, errors>0.1% or rps<5000"
            ))
        };
        let at = text.find(['>', '<']).ok_or_else(|| wrong("has no > or <"))?;
        let (word, rest) = text.split_at(at);
        let (comparison, limit) = match rest.as_bytes() {
            [b'>', b'=', ..] => (Comparison::AtLeast, &rest[2..]),
            [b'<', b'=', ..] => (Comparison::AtMost, &rest[2..]),
            [b'>', ..] => (Comparison::Above, &rest[1..]),
            _ => (Comparison::Below, &rest[1..]),
        };
        let (word, limit) = (word.trim(), limit.trim());
        let measure = Measure::parse(word, limit)
            .ok_or_else(|| wrong(&format!("measures {word:?}, which is unknown")))?;
        let found = measure.parse_limit(limit);
        let limit = found
            .ok_or_else(|| wrong(&format!("has the limit {limit:?}, which is not a {}", measure.unit())))?;
        Ok(Self { measure, comparison, limit })
    }
}

impl Measure {
    fn unit(self) -> &'static str {
        match self {
            Self::Percentile(_) | Self::Mean | Self::Max => "time with its unit (us, ms or s)",
            Self::ErrorShare => "share in %",
            Self::ErrorCount => "share in % or a count",
            Self::Rate => "number of requests a second",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;
    use crate::record::Sample;

    /// 99 requests of 1 to 99 ms, and one failure after 100 ms.
    fn measured() -> Statistics {
        let mut statistics = Statistics::new(1);
        for ms in 1..=100 {
            let mut sample = Sample::of(0);
            sample.latency = Duration::from_millis(ms);
            sample.failure = (ms == 100).then_some(FailureKind::Reset);
            statistics.record(&sample);
        }
        statistics
    }

    #[test]
    fn a_threshold_is_broken_exactly_when_its_condition_holds() {
        let cases = [
            ("p99>98ms", true),
            ("p99>100ms", false),
            ("p50<51ms", true),
            ("max>=100ms", true),
            ("max>0.2s", false),
            ("mean<=51ms", true),
            ("errors>0", true),
            ("errors>1", false),
            ("errors>=1%", true),
            ("failures > 1.5 %", false),
            ("rps<11", true),
            ("rps < 9.9", false),
            ("p99.9>1s", false),
        ];
        for (text, broken) in cases {
            let threshold: Threshold = text.parse().unwrap();
            let found = threshold.broken_by(&measured(), Duration::from_secs(10));
            assert_eq!(found.is_some(), broken, "{text}: {found:?}");
        }
    }

    #[test]
    fn a_threshold_reads_back_what_it_writes() {
        for text in
            ["p99>250ms", "p99.9>=1.5s", "mean<800us", "errors>0.1%", "errors>0", "rps<=5000", "max>0ms"]
        {
            let threshold: Threshold = text.parse().unwrap();
            assert_eq!(threshold.to_string(), text);
            assert_eq!(threshold.to_string().parse::<Threshold>().unwrap(), threshold);
        }
    }

    #[test]
    fn a_threshold_that_is_not_understood_says_why() {
        let cases = [
            ("p99", "has no > or <"),
            ("p99>250", "not a time"),
            ("p101>1s", "unknown"),
            ("speed>3", "unknown"),
            ("errors>-1%", "not a share"),
            ("errors>many", "not a share in % or a count"),
            ("rps<nan", "not a number"),
            ("mean>5m", "not a time"),
            (">5", "unknown"),
            ("", "has no"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<Threshold>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
