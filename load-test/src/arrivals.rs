//! When requests of an open-loop test are meant to start, whatever the server does.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::SmallRng};

use crate::error::{Error, Result};

/// The most requests a second that a plan accepts: far beyond what one generator can send.
const FASTEST: f64 = 1_000_000.0;

/// A stream of requests that does not wait for answers: the load of people who do not know each other.
///
/// Latency is measured from the moment a request was *meant* to start. A server that stalls
/// therefore shows the whole stall in every request that fell into it, where a closed loop would
/// politely stop asking ("coordinated omission", Gil Tene).
///
/// ```
/// use martello_load_test::Arrivals;
///
/// assert_eq!("poisson 500".parse::<Arrivals>()?, Arrivals::poisson(500.0));
/// assert_eq!(Arrivals::constant(200.0).per_second(), 200.0);
/// # Ok::<(), martello_load_test::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrivals {
    per_second: f64,
    pattern: Pattern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern {
    Constant,
    Poisson,
}

impl Arrivals {
    /// Starts requests at equal distances, `per_second` of them each second.
    #[must_use]
    pub const fn constant(per_second: f64) -> Self {
        Self { per_second, pattern: Pattern::Constant }
    }

    /// Starts requests as a Poisson process: exponentially distributed distances, `per_second` on average.
    #[must_use]
    pub const fn poisson(per_second: f64) -> Self {
        Self { per_second, pattern: Pattern::Poisson }
    }

    /// Returns the mean number of requests a second.
    #[must_use]
    pub const fn per_second(&self) -> f64 {
        self.per_second
    }

    pub(crate) fn checked(self) -> Result<Self> {
        if self.per_second > 0.0 && self.per_second <= FASTEST {
            return Ok(self);
        }
        Err(Error::plan(format!(
            "arrivals {self} must be more than 0 and at most {FASTEST} requests a second"
        )))
    }

    /// The intended starts, as distances from the start of the test, endlessly and in order.
    pub(crate) fn offsets(self, seed: u64) -> impl Iterator<Item = Duration> + Send + 'static {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut sent = 0_u64;
        let mut elapsed = 0.0;
        std::iter::repeat_with(move || {
            let at = match self.pattern {
                // From the count and not from a sum of gaps: no drift.
                #[expect(clippy::cast_precision_loss, reason = "2^53 requests are never sent")]
                Pattern::Constant => sent as f64 / self.per_second,
                Pattern::Poisson => {
                    elapsed -= (1.0 - random.r#gen::<f64>()).ln() / self.per_second;
                    elapsed
                }
            };
            sent += 1;
            Duration::try_from_secs_f64(at).unwrap_or(Duration::MAX)
        })
    }
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pattern {
            Pattern::Constant => write!(f, "constant {}", self.per_second),
            Pattern::Poisson => write!(f, "poisson {}", self.per_second),
        }
    }
}

impl FromStr for Arrivals {
    type Err = Error;

    /// Reads `500`, `constant 500` or `poisson 500` (requests a second).
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::text(format!(
                "arrivals {text:?} are not `constant 500` or `poisson 500` (requests a second)"
            ))
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let (pattern, rate) = match words.as_slice() {
            [rate] | ["constant", rate] => (Pattern::Constant, rate),
            ["poisson", rate] => (Pattern::Poisson, rate),
            _ => return Err(wrong()),
        };
        let per_second = rate.parse().map_err(|error: std::num::ParseFloatError| wrong().caused_by(error))?;
        Self { per_second, pattern }.checked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_arrivals_do_not_drift() {
        let offset = Arrivals::constant(3.0).offsets(0).nth(3_000_000).unwrap();
        assert_eq!(offset, Duration::from_secs(1_000_000));
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_spread_that_are_promised() {
        let rate = 500.0;
        let offsets: Vec<f64> =
            Arrivals::poisson(rate).offsets(42).take(100_000).map(|d| d.as_secs_f64()).collect();
        let gaps: Vec<f64> = offsets.windows(2).map(|pair| (pair[1] - pair[0]) * rate).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 1.0).abs() < 0.02, "mean gap {mean}");
        assert!((variance - 1.0).abs() < 0.05, "variance {variance}");
    }

    #[test]
    fn rates_that_mean_nothing_are_refused() {
        for text in ["0", "-5", "nan", "poisson", "uniform 3", "1e9", ""] {
            assert!(text.parse::<Arrivals>().is_err(), "{text}");
        }
    }
}
