//! Times as MLflow writes them into a model folder.

/// Formats milliseconds since 1970 as `2026-11-24 22:20:57.123000`, UTC.
///
/// The date by Howard Hinnant's `civil_from_days`, <https://howardhinnant.github.io/date_algorithms.html>.
pub(super) fn format(millis: i64) -> String {
    let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years begin in March, so that a leap day is the last day of its year.
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1_000 % 60, of_day % 1_000);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03}000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_around_leap_days_and_the_epoch_are_right() {
        // Expected values: GNU date -u -d @SECONDS.
        let check = |seconds: i64, expected: &str| assert_eq!(format(seconds * 1_000), expected);
        check(0, "1970-01-01 00:00:00.000000");
        check(-1, "1969-12-31 23:59:59.000000");
        check(951_782_400, "2000-02-29 00:00:00.000000");
        check(1_709_251_199, "2024-02-29 23:59:59.000000");
        check(1_709_251_200, "2024-03-01 00:00:00.000000");
        check(4_107_542_400, "2100-03-01 00:00:00.000000");
        assert_eq!(format(1_795_472_457_123), "2026-11-23 22:20:57.123000");
    }
}
