//! Points in time as MLflow stores them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, UTC: the unit of every time in MLflow.
///
/// ```
/// use martello_registry_client::Timestamp;
///
/// let later = Timestamp::from_millis(1_700_000_000_000);
/// assert!(Timestamp::from_millis(0) < later && later < Timestamp::now());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Returns the time of the system's clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// Returns the point that many milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// `2026-11-24 22:20:57.123`, UTC: as MLflow writes times for people.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, of_day) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = date(days);
        let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (second, milli) = (of_day / 1_000 % 60, of_day % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03}")
    }
}

/// Year, month and day of a day counted from 1970, by Howard Hinnant's `civil_from_days`,
/// <https://howardhinnant.github.io/date_algorithms.html>.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years begin in March, so that a leap day is the last day of its year.
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_around_leap_days_and_the_epoch_are_right() {
        // Expected values: GNU date -u -d @SECONDS.
        let check = |millis: i64, expected: &str| {
            assert_eq!(Timestamp::from_millis(millis).to_string(), expected);
        };
        check(0, "1970-01-01 00:00:00.000");
        check(-1_000, "1969-12-31 23:59:59.000");
        check(951_782_400_000, "2000-02-29 00:00:00.000");
        check(1_709_251_199_000, "2024-02-29 23:59:59.000");
        check(1_709_251_200_000, "2024-03-01 00:00:00.000");
        check(4_107_542_400_000, "2100-03-01 00:00:00.000");
        check(1_795_472_457_123, "2026-11-23 22:20:57.123");
    }
}
