//! Transfers that only pretend to go on.

use std::time::Duration;

/// What comes slower than this many bytes a second holds a connection and brings nothing: the modems of the eighties were faster.
const MIN_BYTES_PER_SECOND: f64 = 1024.0;

/// Watches how much comes in how much waiting, so that a server that sends a byte now and then is not waited for for ever.
#[derive(Debug)]
pub(crate) struct Pace {
    window: Duration,
    waited: Duration,
    came: u64,
}

impl Pace {
    /// Judges each time after so much waiting.
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, waited: Duration::ZERO, came: 0 }
    }

    /// Takes note of bytes that came after some waiting, and returns whether the transfer goes on in earnest. Time in which nobody
    /// wanted bytes does not count.
    pub(crate) fn goes_on(&mut self, came: usize, waited: Duration) -> bool {
        self.came += came as u64;
        self.waited += waited;
        if self.waited < self.window {
            return true;
        }
        let enough = self.came as f64 >= self.waited.as_secs_f64() * MIN_BYTES_PER_SECOND;
        (self.came, self.waited) = (0, Duration::ZERO);
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_a_second_is_not_going_on_and_a_slow_line_is() {
        let check = |bytes: usize, each: Duration, expected: bool| {
            let mut pace = Pace::new(Duration::from_secs(60));
            assert_eq!((0..100).all(|_| pace.goes_on(bytes, each)), expected, "{bytes} bytes each {each:?}");
        };
        check(1, Duration::from_secs(1), false);
        check(1000, Duration::from_secs(1), false);
        check(1100, Duration::from_secs(1), true);
        check(1, Duration::from_millis(1), true);
        check(100_000, Duration::from_secs(59), true);
    }
}
