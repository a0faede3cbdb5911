//! How long a closed-loop user waits between an answer and the next request.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::Rng;

use crate::error::{Error, Result};

/// The longest mean think time that a plan accepts: a user who thinks longer than a day sends no load.
const LONGEST: f64 = 86_400.0;

/// The time a user waits between reading one answer and sending the next request.
///
/// All arguments are seconds. Values that mean nothing (negative, not finite, low above high)
/// are refused by [`PlanBuilder::build`](crate::PlanBuilder::build), which can say where they stood.
///
/// ```
/// use martello_load_test::ThinkTime;
///
/// let think = ThinkTime::uniform(1.0, 2.5);
/// assert_eq!(think.mean().as_millis(), 1750);
/// assert_eq!("uniform 1..2.5".parse::<ThinkTime>()?, think);
/// assert_eq!("0.2".parse::<ThinkTime>()?, ThinkTime::constant(0.2));
/// # Ok::<(), martello_load_test::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThinkTime(Distribution);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Distribution {
    Constant { seconds: f64 },
    Uniform { low: f64, high: f64 },
    Exponential { mean: f64 },
}

impl ThinkTime {
    /// Waits equally often for every time between `low` and `high` seconds.
    #[must_use]
    pub const fn uniform(low: f64, high: f64) -> Self {
        Self(Distribution::Uniform { low, high })
    }

    /// Waits for the same number of seconds every time; 0 sends the next request at once.
    #[must_use]
    pub const fn constant(seconds: f64) -> Self {
        Self(Distribution::Constant { seconds })
    }

    /// Waits for exponentially distributed times with a mean of `mean` seconds, as independent people do.
    #[must_use]
    pub const fn exponential(mean: f64) -> Self {
        Self(Distribution::Exponential { mean })
    }

    /// Returns the mean of the distribution: the Z of N = X·(Z + R).
    #[must_use]
    pub fn mean(&self) -> Duration {
        duration(match self.0 {
            Distribution::Constant { seconds } => seconds,
            Distribution::Uniform { low, high } => f64::midpoint(low, high),
            Distribution::Exponential { mean } => mean,
        })
    }

    /// Draws one think time; the same generator state gives the same time.
    pub fn sample(&self, random: &mut impl Rng) -> Duration {
        duration(match self.0 {
            Distribution::Constant { seconds } => seconds,
            Distribution::Uniform { low, high } => low + (high - low) * random.r#gen::<f64>(),
            // Inverse of the distribution function; 1 - u lies in (0, 1], so the logarithm is finite.
            Distribution::Exponential { mean } => -mean * (1.0 - random.r#gen::<f64>()).ln(),
        })
    }

    pub(crate) fn checked(self) -> Result<Self> {
        let (low, high) = match self.0 {
            Distribution::Constant { seconds } => (seconds, seconds),
            Distribution::Uniform { low, high } => (low, high),
            Distribution::Exponential { mean } => (mean, mean),
        };
        if low >= 0.0 && low <= high && high <= LONGEST {
            return Ok(self);
        }
        Err(Error::plan(format!(
            "think time {self} must lie between 0 and {LONGEST} seconds, the lower end first"
        )))
    }
}

/// A duration of `seconds`; what is not a duration at all becomes zero (a checked plan never holds one).
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

impl fmt::Display for ThinkTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Distribution::Constant { seconds } => write!(f, "constant {seconds}"),
            Distribution::Uniform { low, high } => write!(f, "uniform {low}..{high}"),
            Distribution::Exponential { mean } => write!(f, "exponential {mean}"),
        }
    }
}

impl FromStr for ThinkTime {
    type Err = Error;

    /// Reads `1.5`, `constant 1.5`, `1..2.5`, `uniform 1..2.5` or `exponential 1.75` (seconds).
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            let message = "is not `1.5`, `uniform 1..2.5`, `constant 1.5` or `exponential 1.75` (seconds)";
            Error::text(format!("think time {text:?} {message}"))
        };
        let number = |text: &str| text.trim().parse::<f64>().map_err(|error| wrong().caused_by(error));
        let trimmed = text.trim();
        let (word, rest) = match trimmed.split_once(char::is_whitespace) {
            Some((word, rest)) => (word, rest),
            None => ("", trimmed),
        };
        let parsed = match (word, rest.split_once("..")) {
            ("" | "uniform", Some((low, high))) => Self::uniform(number(low)?, number(high)?),
            ("" | "constant", None) => Self::constant(number(rest)?),
            ("exponential", None) => Self::exponential(number(rest)?),
            _ => return Err(wrong()),
        };
        parsed.checked()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    fn mean_of_samples(think: ThinkTime) -> f64 {
        let mut random = SmallRng::seed_from_u64(42);
        let count = 200_000;
        (0..count).map(|_| think.sample(&mut random).as_secs_f64()).sum::<f64>() / f64::from(count)
    }

    #[test]
    fn samples_have_the_mean_that_is_promised() {
        for think in [ThinkTime::uniform(1.0, 2.5), ThinkTime::constant(0.3), ThinkTime::exponential(1.75)] {
            let expected = think.mean().as_secs_f64();
            let found = mean_of_samples(think);
            assert!((found / expected - 1.0).abs() < 0.01, "{think}: {found} instead of {expected}");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_times() {
        let draw = || {
            let mut random = SmallRng::seed_from_u64(7);
            (0..5).map(|_| ThinkTime::exponential(1.0).sample(&mut random)).collect::<Vec<_>>()
        };
        assert_eq!(draw(), draw());
    }

    #[test]
    fn times_that_mean_nothing_are_refused() {
        for text in ["-1", "2.5..1", "uniform 1", "nan", "inf", "exponential -2", "gauss 3", "", "1..", "1e9"]
        {
            assert!(text.parse::<ThinkTime>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn uniform_samples_stay_inside_and_the_text_form_round_trips(low in 0.0..10.0_f64, width in 0.0..10.0_f64, seed: u64) {
            let think = ThinkTime::uniform(low, low + width);
            let drawn = think.sample(&mut SmallRng::seed_from_u64(seed)).as_secs_f64();
            prop_assert!(drawn >= low - 1e-9 && drawn <= low + width + 1e-9);
            prop_assert_eq!(think.to_string().parse::<ThinkTime>().unwrap(), think);
        }
    }
}
