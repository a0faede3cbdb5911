//! The seconds of a test as the columns of a picture.

use crate::engine::HistoryRow;
use crate::record::Bins;

/// The most columns of a picture: three pixels each at a desk. A longer test is drawn in groups of seconds.
const MOST_COLUMNS: usize = 340;

/// One or several seconds of a test.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Its end, in seconds since the start.
    pub(crate) end: f64,
    lasted: f64,
    pub(crate) users: usize,
    requests: u64,
    failures: u64,
    /// The worst second's p50, p95 and p99, in seconds; `None` when no request ended.
    pub(crate) percentiles: Option<[f64; 3]>,
    pub(crate) bins: Bins,
}

impl Column {
    fn of(row: &HistoryRow) -> Self {
        let tick = &row.tick;
        let percentiles = [tick.p50, tick.p95, tick.p99].map(|time| time.as_secs_f64());
        Self {
            end: tick.elapsed.as_secs_f64(),
            lasted: tick.lasted.as_secs_f64(),
            users: tick.users,
            requests: tick.requests,
            failures: tick.failures,
            percentiles: (tick.requests > 0).then_some(percentiles),
            bins: row.bins.clone(),
        }
    }

    fn take(&mut self, next: &Self) {
        self.end = next.end;
        self.lasted += next.lasted;
        self.users = self.users.max(next.users);
        self.requests += next.requests;
        self.failures += next.failures;
        self.percentiles = match (self.percentiles, next.percentiles) {
            (Some(mine), Some(theirs)) => {
                Some(std::array::from_fn(|place| f64::max(mine[place], theirs[place])))
            }
            (mine, theirs) => mine.or(theirs),
        };
        self.bins.add(&next.bins);
    }

    pub(crate) fn requests_per_second(&self) -> f64 {
        rate(self.requests, self.lasted)
    }

    pub(crate) fn failures_per_second(&self) -> f64 {
        rate(self.failures, self.lasted)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53 are exact")]
fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds.max(f64::MIN_POSITIVE)
}

/// The columns of a history; how a test ends is a fraction of a second, which belongs to the second before.
pub(crate) fn columns(history: &[HistoryRow]) -> Vec<Column> {
    let group = history.len().div_ceil(MOST_COLUMNS).max(1);
    let mut columns: Vec<Column> = Vec::with_capacity(history.len() / group + 1);
    for (place, row) in history.iter().enumerate() {
        let column = Column::of(row);
        let fraction = column.lasted < 0.5;
        match columns.last_mut() {
            Some(last) if fraction || !place.is_multiple_of(group) => last.take(&column),
            _ => columns.push(column),
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::Latencies;
    use crate::tick::Tick;

    fn history(seconds: usize) -> Vec<HistoryRow> {
        let row = |place: usize| {
            let mut latencies = Latencies::new();
            latencies.record(Duration::from_millis(5));
            let time = Duration::from_millis(place as u64 + 1);
            HistoryRow {
                tick: Tick {
                    elapsed: Duration::from_secs(place as u64 + 1),
                    lasted: Duration::from_secs(1),
                    users: place,
                    requests: 1,
                    failures: 0,
                    p50: time,
                    p95: time,
                    p99: time,
                },
                bins: Bins::of(&latencies),
                percentiles: Default::default(),
                total_requests: 0,
                total_failures: 0,
                total_bytes: 0,
                total_latency: Default::default(),
            }
        };
        (0..seconds).map(row).collect()
    }

    #[test]
    fn a_long_test_is_grouped_and_loses_no_request() {
        for seconds in [0, 1, 340, 341, 5_000] {
            let columns = columns(&history(seconds));
            assert!(columns.len() <= MOST_COLUMNS, "{seconds}");
            let counted: u64 = columns.iter().flat_map(|column| column.bins.counts()).sum();
            assert_eq!(counted, seconds as u64);
            assert!(columns.iter().all(|column| (column.requests_per_second() - 1.0).abs() < 1e-9));
        }
    }

    #[test]
    fn the_fraction_of_a_second_at_the_end_makes_no_column() {
        let mut history = history(3);
        history[2].tick.lasted = Duration::from_millis(3);
        let columns = columns(&history);
        assert_eq!(columns.len(), 2);
        assert_eq!(columns[1].percentiles, Some([0.003; 3]));
    }
}
