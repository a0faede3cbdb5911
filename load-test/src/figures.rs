//! How numbers are written for people: grouped digits, times and sizes with a fitting unit.

use std::fmt;
use std::time::Duration;

/// A count with thousands separated: `1,234,567`.
pub(crate) struct Count(pub(crate) u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3);
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad(&text)
    }
}

/// A time in the unit that reads best, with about three digits: `310 µs`, `4.21 ms`, `1.50 s`.
pub(crate) struct Time(pub(crate) Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let text = match seconds {
            _ if seconds >= 10.0 => format!("{seconds:.1} s"),
            _ if seconds >= 1.0 => format!("{seconds:.2} s"),
            _ if seconds >= 0.1 => format!("{:.0} ms", seconds * 1e3),
            _ if seconds >= 0.01 => format!("{:.1} ms", seconds * 1e3),
            _ if seconds >= 0.001 => format!("{:.2} ms", seconds * 1e3),
            _ => format!("{:.0} µs", seconds * 1e6),
        };
        f.pad(&text)
    }
}

/// A size in MB (10^6 bytes).
pub(crate) struct Megabytes(pub(crate) u64);

impl fmt::Display for Megabytes {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.1} MB", self.0 as f64 / 1e6))
    }
}

/// A rate with one decimal below 100 and grouped digits above.
pub(crate) struct Rate(pub(crate) f64);

impl fmt::Display for Rate {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is small and not negative"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 100.0 { f.pad(&format!("{:.1}", self.0)) } else { Count(self.0.round() as u64).fmt(f) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(Count(0).to_string(), "0");
        assert_eq!(Count(1_234_567).to_string(), "1,234,567");
        assert_eq!(format!("{:>8}", Count(1_234)), "   1,234");
        let time = |micros| Time(Duration::from_micros(micros)).to_string();
        assert_eq!([time(310), time(4_210), time(42_100)], ["310 µs", "4.21 ms", "42.1 ms"]);
        assert_eq!([time(421_000), time(1_500_000), time(31_500_000)], ["421 ms", "1.50 s", "31.5 s"]);
        assert_eq!(Megabytes(207_000_000).to_string(), "207.0 MB");
        assert_eq!([Rate(57.14).to_string(), Rate(5_714.3).to_string()], ["57.1", "5,714"]);
    }
}
