//! What a survey found, in pictures.

use crate::capacity::{Findings, Level, Share, Sweep};
use crate::draw::{Chart, Scale, Series, Style};
use crate::report::html::pictures::{rate, time};

/// Points of a curve that is drawn from a formula.
const CURVE: u32 = 60;

/// How far beyond what was measured a picture goes so that N* is in it, as a multiple.
const FAR: f64 = 2.5;

/// Lines and dots over one axis; the axis is the sorted places of all of them.
struct Plot {
    title: String,
    height: f64,
    at: Vec<f64>,
    series: Vec<Series>,
    written: fn(f64) -> String,
    written_x: fn(f64) -> String,
    may_be_logarithmic: bool,
    limit: Option<f64>,
    mark: Option<(f64, String)>,
}

impl Plot {
    fn new(title: impl Into<String>, written_x: fn(f64) -> String, written: fn(f64) -> String) -> Self {
        let (at, series) = (Vec::new(), Vec::new());
        let (may_be_logarithmic, limit, mark) = (false, None, None);
        let title = title.into();
        Self { title, height: 240.0, at, series, written, written_x, may_be_logarithmic, limit, mark }
    }

    /// Adds points; what is drawn later lies below.
    fn add(mut self, name: &str, class: &'static str, style: Style, points: &[(f64, f64)]) -> Self {
        // Each series has places of its own, so that none is interpolated at those of another.
        let before = self.at.len();
        self.at.extend(points.iter().map(|(x, _)| *x));
        let values = std::iter::repeat_n(None, before).chain(points.iter().map(|(_, y)| Some(*y))).collect();
        self.series.push(Series { name: name.to_owned(), class, values, style });
        self
    }

    /// Nothing if there is nothing to see.
    fn html(mut self) -> String {
        if self.at.is_empty() {
            return String::new();
        }
        let places = self.at.len();
        self.series.iter_mut().for_each(|series| series.values.resize(places, None));
        let mut order: Vec<usize> = (0..places).collect();
        order.sort_by(|one, other| self.at[*one].total_cmp(&self.at[*other]));
        let at: Vec<f64> = order.iter().map(|place| self.at[*place]).collect();
        for series in &mut self.series {
            series.values = order.iter().map(|place| series.values[*place]).collect();
        }
        let lines: Vec<Series> = self.series.into_iter().map(|series| joined(series, &at)).collect();
        let chart = Chart {
            title: &self.title,
            height: self.height,
            at: &at,
            across: Scale::up_to,
            written_x: self.written_x,
            written: self.written,
            series: &lines,
            may_be_logarithmic: self.may_be_logarithmic,
            tinted: false,
            limit: self.limit,
            mark: self.mark,
        };
        chart.html()
    }
}

/// A line is not interrupted by the places of other series: between two of its own it is straight.
fn joined(mut series: Series, at: &[f64]) -> Series {
    if series.style == Style::Dots {
        return series;
    }
    let known: Vec<usize> = (0..at.len()).filter(|place| series.values[*place].is_some()).collect();
    for pair in known.windows(2) {
        let (first, last) = (pair[0], pair[1]);
        let (Some(from), Some(to)) = (series.values[first], series.values[last]) else { continue };
        for place in first + 1..last {
            let share = (at[place] - at[first]) / (at[last] - at[first]).max(f64::MIN_POSITIVE);
            series.values[place] = Some(from + (to - from) * share);
        }
    }
    series
}

#[expect(clippy::cast_precision_loss, reason = "users are fewer than 2^53")]
fn points(levels: &[Level], value: impl Fn(&Level) -> f64) -> Vec<(f64, f64)> {
    let measured = levels.iter().filter(|level| level.requests_per_second > 0.0);
    measured.map(|level| (level.users as f64, value(level))).collect()
}

impl Findings {
    /// Throughput against users: what was measured, what the users could offer at most, what the server can serve at
    /// most, and where these two meet.
    pub(super) fn throughput_picture(&self) -> String {
        let measured = points(&self.searched(), |level| level.requests_per_second);
        let Some(most) = measured.iter().map(|(users, _)| *users).reduce(f64::max) else {
            return String::new();
        };
        let cycle = (self.think_time_seconds + self.at_rest.mean_seconds).max(f64::MIN_POSITIVE);
        let plot = Plot::new("Throughput against users", rate, rate);
        let mut plot = plot.add("measured, requests/s", "rate", Style::Dots, &measured);
        let ceiling = self.ceiling();
        let knee = ceiling.map(|(served, _)| served * cycle);
        let end = knee.filter(|knee| *knee < most * FAR).map_or(most, |knee| f64::max(most, knee * 1.1));
        let bounded = ceiling.map_or(end, |(served, _)| f64::min(end, served * cycle * 1.15));
        plot = plot.add(
            "offered at most, N/(Z + R₀)",
            "plain",
            Style::Line,
            &[(0.0, 0.0), (bounded, bounded / cycle)],
        );
        if let (Some((served, why)), Some(knee)) = (ceiling, knee.filter(|knee| *knee <= end)) {
            plot = plot.add(
                &format!("served at most, {why}"),
                "p99",
                Style::Line,
                &[(0.0, served), (end, served)],
            );
            plot.mark = Some((knee, format!("N* = {} users", rate(knee.round()))));
        }
        plot.html()
    }

    /// The highest rate of a server, and how it is known.
    fn ceiling(&self) -> Option<(f64, &'static str)> {
        if let Some(seen) = self.saturation() {
            return Some((seen, "seen"));
        }
        let cycle = self.think_time_seconds + self.at_rest.mean_seconds;
        Some((self.prediction?.knee_users / cycle.max(f64::MIN_POSITIVE), "1/D by its processor time"))
    }

    fn searched(&self) -> Vec<Level> {
        std::iter::once(&self.at_rest).chain(&self.levels).cloned().collect()
    }

    /// Percentiles against users, with the line that they must not cross.
    pub(super) fn latency_picture(&self) -> String {
        let levels = self.searched();
        let mut plot = Plot::new("Latency against users", rate, time);
        type Percentile = (&'static str, fn(&Level) -> f64);
        let percentiles: [Percentile; 3] = [
            ("p50", |level| level.p50_seconds),
            ("p95", |level| level.p95_seconds),
            ("p99", |level| level.p99_seconds),
        ];
        for (name, value) in percentiles {
            plot = plot.add(name, name, Style::Dots, &points(&levels, value));
        }
        (plot.may_be_logarithmic, plot.limit) = (true, self.p99_limit_seconds);
        plot.html()
    }

    /// What a processor limit does: the p99, and how often the server had to wait for the next period.
    pub(super) fn limit_pictures(&self) -> String {
        if self.limits.is_empty() {
            return String::new();
        }
        let by_cores = |value: fn(&Level) -> Option<f64>| -> Vec<(f64, f64)> {
            self.limits.iter().filter_map(|level| Some((level.limit_cores?, value(level)?))).collect()
        };
        let users =
            rate(self.held_users.map_or(0.0, |users| f64::from(u32::try_from(users).unwrap_or(u32::MAX))));
        let title = format!("p99 of {users} users against the processor limit");
        let mut p99 = Plot::new(title, cores, time).add(
            "p99",
            "p99",
            Style::Dots,
            &by_cores(|level| (level.requests_per_second > 0.0).then_some(level.p99_seconds)),
        );
        (p99.may_be_logarithmic, p99.limit, p99.mark) = (true, self.p99_limit_seconds, self.least_mark());
        let mut throttled = Plot::new(
            "Share of periods throttled, against the processor limit",
            cores,
            percent,
        )
        .add("throttled", "failures", Style::Dots, &by_cores(|level| level.throttled_share));
        throttled.mark = self.least_mark();
        p99.html() + &throttled.html()
    }

    fn least_mark(&self) -> Option<(f64, String)> {
        self.least_cores.map(|cores| (cores, format!("least that held: {cores:.2} cores")))
    }

    /// What a memory limit does.
    pub(super) fn memory_picture(&self) -> String {
        #[expect(clippy::cast_precision_loss, reason = "sizes of machines")]
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let lived: Vec<(f64, f64)> = self
            .memory_limits
            .iter()
            .filter(|level| level.requests_per_second > 0.0 && level.failures == 0)
            .filter_map(|level| Some((megabytes(level.limit_memory_bytes?), level.p99_seconds)))
            .collect();
        let mut plot =
            Plot::new("p99 against the memory limit", size, time).add("p99", "p99", Style::Dots, &lived);
        (plot.may_be_logarithmic, plot.limit) = (true, self.p99_limit_seconds);
        plot.mark = self
            .least_memory_bytes
            .map(|bytes| (megabytes(bytes), format!("least that held: {}", size(megabytes(bytes)))));
        plot.html()
    }
}

impl Sweep {
    pub(super) fn title(&self) -> &'static str {
        match self.share {
            Share::Split => "Replicas that share the same processor time",
            Share::Each => "Replicas with the same processor time each",
            Share::Given => "Replicas as given",
        }
    }

    /// Throughput against replicas with the fitted law, and how far the measurements are from it.
    pub(super) fn pictures(&self) -> String {
        let measured: Vec<(f64, f64)> = self
            .levels
            .iter()
            .filter_map(|level| Some((f64::from(level.replicas?), level.requests_per_second)))
            .collect();
        let most = measured.iter().map(|(replicas, _)| *replicas).fold(1.0, f64::max);
        let mut plot =
            Plot::new(self.title(), rate, rate).add("measured, requests/s", "rate", Style::Dots, &measured);
        let Some(law) = &self.law else { return plot.html() };
        // The law says nothing of less than one replica.
        let curve: Vec<(f64, f64)> = (0..=CURVE)
            .map(|place| 1.0 + f64::from(place) / f64::from(CURVE) * (most - 1.0))
            .map(|replicas| (replicas, law.throughput(replicas)))
            .collect();
        plot = plot.add("Universal Scalability Law", "plain", Style::Line, &curve);
        plot.mark = law.peak().filter(|peak| *peak <= most).map(|peak| (peak, format!("peak {peak:.1}")));
        let residuals: Vec<(f64, f64)> =
            law.residuals().iter().map(|one| (f64::from(one.replicas), one.relative().abs())).collect();
        let mut distance = Plot::new("Distance of the measurements from the law", rate, percent).add(
            "residual",
            "failures",
            Style::Dots,
            &residuals,
        );
        distance.height = 130.0;
        plot.html() + &distance.html()
    }
}

fn cores(value: f64) -> String {
    format!("{value:.2}")
}

fn percent(share: f64) -> String {
    let percent = format!("{:.1}", share * 100.0);
    format!("{} %", percent.strip_suffix(".0").unwrap_or(&percent))
}

fn size(megabytes: f64) -> String {
    format!("{megabytes:.0} MB")
}
