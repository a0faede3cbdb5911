//! What happened over time, in four pictures with one time axis.

use std::time::Duration;

use crate::draw::{Chart, HeatMap, Scale, Series, Style};
use crate::engine::HistoryRow;
use crate::figures::{Rate, Time};
use crate::report::html::columns::{Column, columns};

/// The pictures below each other; nothing before the first second is over.
pub(super) fn over_time(history: &[HistoryRow]) -> String {
    let columns = columns(history);
    if columns.is_empty() {
        return String::new();
    }
    let at: Vec<f64> = columns.iter().map(|column| column.end).collect();
    let bins: Vec<_> = columns.iter().map(|column| &column.bins).collect();
    let heat_map = HeatMap {
        title: "Latency heat map",
        height: 220.0,
        at: &at,
        columns: &bins,
        written_x: clock,
        written: time,
    };
    [
        chart("Requests a second", 220.0, &at, &rates(&columns), rate, true).html(),
        chart("Users at work", 120.0, &at, &users(&columns), count, true).html(),
        Chart {
            may_be_logarithmic: true,
            ..chart("Latency by second", 220.0, &at, &percentiles(&columns), time, false)
        }
        .html(),
        heat_map.html(),
    ]
    .concat()
}

fn chart<'a>(
    title: &'a str,
    height: f64,
    at: &'a [f64],
    series: &'a [Series],
    written: fn(f64) -> String,
    tinted: bool,
) -> Chart<'a> {
    let (across, written_x) = (Scale::of_time, clock);
    let (may_be_logarithmic, limit, mark) = (false, None, None);
    Chart { title, height, at, across, written_x, written, series, may_be_logarithmic, tinted, limit, mark }
}

fn rates(columns: &[Column]) -> Vec<Series> {
    let line = |name: &str, class, value: fn(&Column) -> f64| {
        let values = columns.iter().map(|column| Some(value(column))).collect();
        Series { name: name.to_owned(), class, values, style: Style::Line }
    };
    let mut series = vec![line("requests/s", "rate", Column::requests_per_second)];
    if columns.iter().any(|column| column.failures_per_second() > 0.0) {
        series.push(line("failures/s", "failures", Column::failures_per_second));
    }
    series
}

#[expect(clippy::cast_precision_loss, reason = "users are fewer than 2^53")]
fn users(columns: &[Column]) -> Vec<Series> {
    let values = columns.iter().map(|column| Some(column.users as f64)).collect();
    vec![Series { name: "users".to_owned(), class: "users", values, style: Style::Line }]
}

fn percentiles(columns: &[Column]) -> Vec<Series> {
    let line = |(place, name): (usize, &'static str)| {
        let values = columns.iter().map(|column| column.percentiles.map(|all| all[place])).collect();
        Series { name: name.to_owned(), class: name, values, style: Style::Line }
    };
    ["p50", "p95", "p99"].into_iter().enumerate().map(line).collect()
}

/// Seconds up to two minutes, then minutes and seconds, then hours.
fn clock(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time is not negative")]
    let whole = seconds.round() as u64;
    match whole {
        0..120 => format!("{whole} s"),
        120..3_600 => format!("{}:{:02} min", whole / 60, whole % 60),
        _ => format!("{}:{:02} h", whole / 3_600, whole / 60 % 60),
    }
}

/// A time as an axis shows it.
pub(crate) fn time(seconds: f64) -> String {
    if seconds == 0.0 {
        return "0".to_owned();
    }
    Short(seconds).to_string()
}

/// A time without the digits that a round value does not need.
struct Short(f64);

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = Time(Duration::try_from_secs_f64(self.0).unwrap_or_default()).to_string();
        let Some((figure, unit)) = text.split_once(' ') else { return f.write_str(&text) };
        let figure =
            if figure.contains('.') { figure.trim_end_matches('0').trim_end_matches('.') } else { figure };
        write!(f, "{figure} {unit}")
    }
}

/// A rate or a count as an axis shows it.
pub(crate) fn rate(value: f64) -> String {
    let text = Rate(value).to_string();
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

fn count(value: f64) -> String {
    rate(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_labelled_for_people() {
        assert_eq!(
            [0.0, 59.9, 119.0, 150.0, 7_260.0].map(clock),
            ["0 s", "60 s", "119 s", "2:30 min", "2:01 h"]
        );
        assert_eq!([0.0, 0.001, 0.02, 1.0, 0.00025].map(time), ["0", "1 ms", "20 ms", "1 s", "250 µs"]);
        assert_eq!([0.0, 2.5, 5_714.0].map(rate), ["0", "2.5", "5,714"]);
    }
}
