//! How answers spread over replicas.

use std::fmt;

use serde::Serialize;

use crate::figures::Count;
use crate::record::Statistics;

/// The largest distance from the fair share, relative to it, that is still called even.
///
/// 5 %: more than the randomness of any sensible policy leaves after a few thousand requests, less
/// than anybody would size a machine by.
pub const EVEN_WITHIN: f64 = 0.05;

/// How the answers of a test spread over the replicas that gave them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    endpoints: Vec<EndpointShare>,
}

/// One replica's part in the answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EndpointShare {
    /// The name that answers carry, usually an address.
    pub name: String,
    /// Answers by this replica.
    pub requests: u64,
    /// Answers among them that failed their check.
    pub failures: u64,
    /// Its share of all answers that name a replica, 0 to 1.
    pub share: f64,
}

impl Spread {
    #[expect(clippy::cast_precision_loss, reason = "shares need no more than 53 bits")]
    pub(crate) fn of(statistics: &Statistics) -> Option<Self> {
        let counted = statistics.endpoints();
        let all: u64 = counted.iter().map(|(_, counts)| counts.requests).sum();
        let share = |(name, counts): (String, crate::EndpointCounts)| EndpointShare {
            name,
            requests: counts.requests,
            failures: counts.failures,
            share: counts.requests as f64 / all as f64,
        };
        (all > 0).then(|| Self { endpoints: counted.into_iter().map(share).collect() })
    }

    /// Returns the replicas in the order of their names.
    #[must_use]
    pub fn endpoints(&self) -> &[EndpointShare] {
        &self.endpoints
    }

    /// Returns the largest distance of a replica's share from the fair one, relative to the fair one.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "replicas are few")]
    pub fn unevenness(&self) -> f64 {
        let fair = 1.0 / self.endpoints.len() as f64;
        self.endpoints.iter().map(|one| (one.share - fair).abs() / fair).fold(0.0, f64::max)
    }

    /// Returns whether no replica is farther from its fair share than [`EVEN_WITHIN`], or than the one
    /// request that cannot be divided.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "shares need no more than 53 bits")]
    pub fn is_even(&self) -> bool {
        let all: u64 = self.endpoints.iter().map(|one| one.requests).sum();
        let one_request = self.endpoints.len() as f64 / all as f64;
        self.unevenness() <= EVEN_WITHIN.max(one_request)
    }
}

impl fmt::Display for Spread {
    /// One sentence without a full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replicas = self.endpoints.len();
        let requests: u64 = self.endpoints.iter().map(|one| one.requests).sum();
        let off = self.unevenness() * 100.0;
        if replicas == 1 {
            return write!(f, "all {} answers came from one replica", Count(requests));
        }
        let word = if self.is_even() { "even" } else { "uneven" };
        write!(f, "the spread over {replicas} replicas is {word} (at most {off:.1} % from the fair share)")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::record::Sample;

    fn spread(counts: &[u64]) -> Option<Spread> {
        let mut statistics = Statistics::new(1);
        for (place, count) in counts.iter().enumerate() {
            for _ in 0..*count {
                let mut sample = Sample::of(0);
                sample.endpoint = Some(HeaderValue::from_str(&format!("10.0.0.{place}:8000")).unwrap());
                statistics.record(&sample);
            }
        }
        Spread::of(&statistics)
    }

    #[test]
    fn an_even_spread_is_called_even_and_no_other() {
        let even = |counts: &[u64]| spread(counts).unwrap().is_even();
        assert!(even(&[334, 333, 333]));
        assert!(even(&[1, 2, 2]));
        assert!(even(&[7]));
        assert!(!even(&[400, 300, 300]));
        assert!(!even(&[500, 500, 10]));
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn the_spread_is_said_in_a_sentence() {
        assert_eq!(
            spread(&[100, 100]).unwrap().to_string(),
            "the spread over 2 replicas is even (at most 0.0 % from the fair share)"
        );
        assert!(spread(&[150, 50]).unwrap().to_string().contains("uneven (at most 50.0 %"));
        assert_eq!(spread(&[5]).unwrap().to_string(), "all 5 answers came from one replica");
    }
}
