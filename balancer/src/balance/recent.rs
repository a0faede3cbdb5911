//! The part of a histogram that is recent: what all of its life was like says nothing of now.

use std::{
    mem,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::latency::Latencies;

/// How far back is recent, at least, and at most twice as far. 10 s: a change is seen while it matters, and a few requests a
/// second still have percentiles.
const SPAN: Duration = Duration::from_secs(10);

/// Remembers what a histogram was. It has no clock of its own: if nobody has looked for longer, all since then is recent.
#[derive(Debug)]
pub(crate) struct Recent(Mutex<Spans>);

#[derive(Debug)]
struct Spans {
    /// When the last span began.
    began: Instant,
    /// What there was then, and when the span before it began.
    last: Latencies,
    before: Latencies,
}

impl Recent {
    pub(crate) fn new() -> Self {
        let (last, before) = (Latencies::default(), Latencies::default());
        Self(Mutex::new(Spans { began: Instant::now(), last, before }))
    }

    /// Returns what is recent of all that there is now.
    pub(crate) fn of(&self, all: &Latencies) -> Latencies {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if now.saturating_duration_since(spans.began) >= SPAN {
            spans.began = now;
            spans.before = mem::replace(&mut spans.last, all.clone());
        }
        all.since(&spans.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::latency::Histogram;

    #[tokio::test(start_paused = true)]
    async fn what_was_slow_is_forgotten_after_two_spans() {
        let (histogram, recent) = (Histogram::new(), Recent::new());
        let quick = Duration::from_micros(10);
        histogram.record(Duration::from_millis(500));
        for second in 0..60 {
            histogram.record(quick);
            let slowest = recent.of(&histogram.read()).quantile_ms(1.0).unwrap();
            assert_eq!(slowest > 1.0, second < 20, "after {second} s");
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(histogram.read().count(), 61);
        tokio::time::advance(SPAN).await;
        recent.of(&histogram.read());
        tokio::time::advance(SPAN).await;
        assert_eq!(recent.of(&histogram.read()).quantile_ms(0.5), None, "nothing came");
    }
}
