//! The report as the CSV files that Locust (2.47) writes, for the scripts that people already have.
//!
//! Times are milliseconds, and totals are those up to the row's second, as Locust has them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Error, ErrorKind, Result};
use crate::record::RequestStatistics;
use crate::report::Report;
use crate::report::file::sync;
use crate::tick::per_second;

/// The percentiles of Locust's CSV files, in their order.
pub(crate) const LOCUST_PERCENTILES: [f64; 11] =
    [50.0, 66.0, 75.0, 80.0, 90.0, 95.0, 98.0, 99.0, 99.9, 99.99, 100.0];

const PERCENTILE_COLUMNS: [&str; LOCUST_PERCENTILES.len()] =
    ["50%", "66%", "75%", "80%", "90%", "95%", "98%", "99%", "99.9%", "99.99%", "100%"];

const STATS: [&str; 11] = [
    "Type",
    "Name",
    "Request Count",
    "Failure Count",
    "Median Response Time",
    "Average Response Time",
    "Min Response Time",
    "Max Response Time",
    "Average Content Size",
    "Requests/s",
    "Failures/s",
];

const HISTORY: [&str; 6] = ["Timestamp", "User Count", "Type", "Name", "Requests/s", "Failures/s"];

const HISTORY_TOTALS: [&str; 7] = [
    "Total Request Count",
    "Total Failure Count",
    "Total Median Response Time",
    "Total Average Response Time",
    "Total Min Response Time",
    "Total Max Response Time",
    "Total Average Content Size",
];

const FAILURES: [&str; 6] = ["Method", "Name", "Error", "Occurrences", "First Seen", "Last Seen"];

const EXCEPTIONS: [&str; 4] = ["Count", "Message", "Traceback", "Nodes"];

/// The name of the row that sums up all others.
const AGGREGATED: &str = "Aggregated";

type Row = Vec<String>;

impl Report {
    /// Writes `PREFIX_stats.csv`, `PREFIX_stats_history.csv`, `PREFIX_failures.csv` and
    /// `PREFIX_exceptions.csv` with the names and columns of Locust, and returns their paths.
    ///
    /// The exceptions file has its header alone: a plan runs no code of its own that could raise one.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] with the path if a file cannot be written; files written before it remain.
    pub fn write_csv(&self, prefix: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
        self.csv_files()
            .into_iter()
            .map(|(suffix, header, rows)| write(prefix.as_ref(), suffix, header, rows))
            .collect()
    }

    /// The text of one of the files, by the suffix of its name.
    pub(crate) fn csv(&self, suffix: &str) -> Option<Vec<u8>> {
        let (_, header, rows) = self.csv_files().into_iter().find(|(name, ..)| *name == suffix)?;
        let mut writer = csv::Writer::from_writer(Vec::new());
        std::iter::once(header).chain(rows).try_for_each(|row| writer.write_record(row)).ok()?;
        writer.into_inner().ok()
    }

    fn csv_files(&self) -> [(&'static str, Row, Vec<Row>); 4] {
        [
            ("_stats.csv", columns(&[&STATS, &PERCENTILE_COLUMNS]), self.stats_rows()),
            (
                "_stats_history.csv",
                columns(&[&HISTORY, &PERCENTILE_COLUMNS, &HISTORY_TOTALS]),
                self.history_rows(),
            ),
            ("_failures.csv", columns(&[&FAILURES]), self.failure_rows()),
            ("_exceptions.csv", columns(&[&EXCEPTIONS]), Vec::new()),
        ]
    }

    fn stats_rows(&self) -> Vec<Row> {
        let requests = self.plan.requests().iter().zip(self.statistics().by_request());
        let each =
            requests.map(|(prepared, counts)| (prepared.method().as_str(), prepared.name.as_str(), counts));
        let all = self.statistics().all_requests();
        each.chain([("", AGGREGATED, &all)])
            .map(|(method, name, counts)| self.stats_row(method, name, counts))
            .collect()
    }

    fn stats_row(&self, method: &str, name: &str, counts: &RequestStatistics) -> Row {
        let latency = counts.latency();
        let mut row = vec![
            method.to_owned(),
            name.to_owned(),
            counts.requests().to_string(),
            counts.failures().to_string(),
            milliseconds(latency.percentile(50.0)),
            milliseconds(latency.mean()),
            milliseconds(latency.min()),
            milliseconds(latency.max()),
            average(counts.body_bytes(), counts.requests()),
            per_second(counts.requests(), self.lasted()).to_string(),
            per_second(counts.failures(), self.lasted()).to_string(),
        ];
        row.extend(percentiles(
            LOCUST_PERCENTILES.map(|percent| latency.percentile(percent)),
            counts.requests(),
        ));
        row
    }

    fn history_rows(&self) -> Vec<Row> {
        let row = |row: &crate::engine::HistoryRow| {
            let tick = &row.tick;
            let mut cells = vec![
                unix_seconds(self.measured.wall_clock + tick.elapsed).to_string(),
                tick.users.to_string(),
                String::new(),
                AGGREGATED.to_owned(),
                format!("{:.6}", tick.requests_per_second()),
                format!("{:.6}", tick.failures_per_second()),
            ];
            cells.extend(percentiles(row.percentiles, row.total_requests));
            cells.extend([row.total_requests.to_string(), row.total_failures.to_string()]);
            cells.extend(row.total_latency.map(milliseconds));
            cells.push(average(row.total_bytes, row.total_requests));
            cells
        };
        self.measured.history.iter().map(row).collect()
    }

    fn failure_rows(&self) -> Vec<Row> {
        let seen = |at: Duration| utc(self.measured.wall_clock + at);
        let row =
            |((template, kind), failure): (&(usize, crate::FailureKind), &crate::engine::FailureSpan)| {
                let prepared = &self.plan.requests()[*template];
                vec![
                    prepared.method().to_string(),
                    prepared.name.clone(),
                    kind.to_string(),
                    failure.count.to_string(),
                    seen(failure.first),
                    seen(failure.last),
                ]
            };
        self.measured.failure_spans.iter().map(row).collect()
    }
}

fn columns(groups: &[&[&str]]) -> Row {
    groups.concat().into_iter().map(str::to_owned).collect()
}

fn write(prefix: &Path, suffix: &str, header: Row, rows: Vec<Row>) -> Result<PathBuf> {
    let mut path = prefix.as_os_str().to_owned();
    path.push(suffix);
    let path = PathBuf::from(path);
    let written = || -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(File::create(&path)?);
        for row in std::iter::once(header).chain(rows) {
            writer.write_record(row)?;
        }
        // A disk that is full says so here at the latest.
        sync(&writer.into_inner().map_err(csv::IntoInnerError::into_error)?)
    };
    let failed = |error| {
        Error::new(ErrorKind::Io, format!("report cannot be written to {}", path.display())).caused_by(error)
    };
    written().map_err(failed)?;
    Ok(path)
}

fn milliseconds(time: Duration) -> String {
    (time.as_secs_f64() * 1e3).to_string()
}

/// Whole milliseconds, or what Locust writes where there is nothing to measure.
fn percentiles(times: [Duration; LOCUST_PERCENTILES.len()], requests: u64) -> impl Iterator<Item = String> {
    times
        .into_iter()
        .map(move |time| if requests == 0 { "N/A".to_owned() } else { time.as_millis().to_string() })
}

#[expect(clippy::cast_precision_loss, reason = "an average needs no more than 53 bits")]
fn average(sum: u64, count: u64) -> String {
    if count == 0 { "0".to_owned() } else { (sum as f64 / count as f64).to_string() }
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// `2026-11-24T22:16:00Z`: the proleptic Gregorian date of a Unix time
/// (Howard Hinnant, *chrono-compatible low-level date algorithms*, `civil_from_days`).
pub(super) fn utc(time: SystemTime) -> String {
    let seconds = unix_seconds(time);
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_times_are_written_as_dates() {
        let check = |seconds, expected| assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        check(0, "1970-01-01T00:00:00Z");
        check(951_782_399, "2000-02-28T23:59:59Z");
        check(951_782_400, "2000-02-29T00:00:00Z");
        check(951_868_800, "2000-03-01T00:00:00Z");
        check(1_735_689_599, "2024-12-31T23:59:59Z");
        check(4_102_444_800, "2100-01-01T00:00:00Z");
    }
}
