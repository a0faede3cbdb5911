//! The report as a page that a person would rather look at: one file, no network, light and dark.

mod columns;
pub(crate) mod pictures;

use std::path::Path;

use crate::draw::{Table, escaped, page, tile};
use crate::error::Result;
use crate::figures::{Count, Megabytes, Rate, Time};
use crate::plan::{Checked, Load};
use crate::record::{Latencies, RequestStatistics};
use crate::report::Report;
use crate::report::file::write_file;
use crate::report::locust::utc;
use crate::tick::per_second;
use crate::usage::ProcessUsage;

impl Report {
    /// Returns the report as one HTML document: pictures over time, tables and the verdict. It needs neither
    /// network nor scripts, and follows the reader's light or dark theme.
    #[must_use]
    pub fn to_html(&self) -> String {
        let body = [
            self.heading(),
            self.verdict_banner(),
            self.tiles(),
            self.pictures(),
            self.replicas(),
            self.request_table(),
            self.failure_table(),
            self.step_table(),
            self.process_table(),
            self.notes(),
        ];
        page(&format!("Load test of {}", self.plan.url()), &body.concat())
    }

    /// Writes [`to_html`](Self::to_html) to a file.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) with the path if the file cannot be written.
    pub fn write_html(&self, path: impl AsRef<Path>) -> Result<()> {
        write_file(path.as_ref(), self.to_html().as_bytes())
    }

    fn heading(&self) -> String {
        let url = escaped(&self.plan.url());
        let started = utc(self.measured.wall_clock).replace('T', " ").replace('Z', " UTC");
        let load = escaped(&describe(&self.plan));
        let early = if self.stopped_early() { ", stopped early" } else { "" };
        let lasted = self.lasted().as_secs_f64();
        format!(
            "<header><h1>Load test of {url}</h1><p>{load} · {started} · {lasted:.0} s{early}</p></header>\n"
        )
    }

    fn verdict_banner(&self) -> String {
        let verdict = self.verdict;
        let sentence = self.sentence();
        let rest = sentence.split_once(' ').map_or("", |(_, rest)| rest);
        let rest = if verdict == crate::Verdict::Invalid {
            rest
        } else {
            sentence.trim_start_matches("pass: ").trim_start_matches("fail: ")
        };
        format!("<div class=\"verdict {verdict}\"><b>{verdict}</b><p>{}</p></div>\n", escaped(rest))
    }

    /// The figures that a reader looks for first.
    pub(crate) fn tiles(&self) -> String {
        let latency = self.latency();
        let at = |percent| Time(latency.percentile(percent)).to_string();
        let most_users = self.history().map(|tick| tick.users).max().unwrap_or(0);
        let busiest = self.history().filter(|tick| tick.lasted.as_secs_f64() > 0.5);
        let busiest = busiest.map(crate::Tick::requests_per_second).fold(0.0, f64::max);
        let failed = format!("{:.2} % of all", self.statistics().failed_share() * 100.0);
        let users = if self.is_open_loop() { "Connections" } else { "Users" };
        let tiles = [
            tile(users, &Count(most_users as u64).to_string(), "at most"),
            tile("Requests", &Count(self.requests()).to_string(), "ended"),
            tile(
                "Requests/s",
                &Rate(self.requests_per_second()).to_string(),
                &format!("{} at most", Rate(busiest)),
            ),
            tile("Failed", &Count(self.failures()).to_string(), &failed),
            tile("Median", &at(50.0), "p50"),
            tile("95 % within", &at(95.0), "p95"),
            tile("99 % within", &at(99.0), &format!("longest {}", Time(latency.max()))),
        ];
        format!("<div class=\"tiles\">\n{}</div>\n", tiles.concat())
    }

    /// The charts over time.
    pub(crate) fn pictures(&self) -> String {
        pictures::over_time(&self.measured.history)
    }

    pub(crate) fn replicas(&self) -> String {
        let Some(spread) = self.spread() else { return String::new() };
        let endpoints = spread.endpoints();
        #[expect(clippy::cast_precision_loss, reason = "replicas are few")]
        let fair = 1.0 / endpoints.len() as f64;
        // The fullest bar reaches nine tenths of the width.
        let full = endpoints.iter().map(|one| one.share).fold(fair, f64::max) / 0.9;
        let bars = endpoints.iter().map(|one| {
            let failed = if one.failures > 0 { format!(", {} failed", Count(one.failures)) } else { String::new() };
            format!(
                "<span>{}</span><span>{} ({:.1} %{failed})</span><div class=\"bar\"><i style=\"width:{:.1}%\"></i><u style=\"left:{:.1}%\"></u></div>\n",
                escaped(&one.name),
                Count(one.requests),
                one.share * 100.0,
                one.share / full * 100.0,
                fair / full * 100.0,
            )
        });
        let sentence = escaped(&spread.to_string());
        format!(
            "<section><h2>Replicas</h2><div class=\"bars\">\n{}</div><p class=\"hint\">{sentence}; the mark is the fair share</p></section>\n",
            bars.collect::<String>()
        )
    }

    pub(crate) fn request_table(&self) -> String {
        let mut table = Table::new(&[
            "Request",
            "Requests",
            "Failed",
            "Requests/s",
            "Mean",
            "p50",
            "p90",
            "p95",
            "p99",
            "p99.9",
            "Max",
            "Body",
        ]);
        let prepared = self.plan.requests();
        for (one, counts) in prepared.iter().zip(self.statistics().by_request()) {
            table.row(&self.request_row(&format!("{} {}", one.method(), one.name), counts));
        }
        if prepared.len() > 1 {
            table.row(&self.request_row("All", &self.statistics().all_requests()));
        }
        table.html("Requests")
    }

    fn request_row(&self, name: &str, counts: &RequestStatistics) -> Vec<String> {
        let latency = counts.latency();
        let mut row = vec![
            name.to_owned(),
            Count(counts.requests()).to_string(),
            Count(counts.failures()).to_string(),
            Rate(per_second(counts.requests(), self.lasted())).to_string(),
            Time(latency.mean()).to_string(),
        ];
        row.extend(
            [50.0, 90.0, 95.0, 99.0, 99.9].map(|percent| Time(latency.percentile(percent)).to_string()),
        );
        row.push(Time(latency.max()).to_string());
        row.push(format!("{} B", Count(counts.body_bytes() / counts.requests().max(1))));
        row
    }

    pub(crate) fn failure_table(&self) -> String {
        let mut table = Table::new(&["Failure", "Request", "Times", "First seen", "Last seen"]);
        for ((place, kind), span) in &self.measured.failure_spans {
            let prepared = &self.plan.requests()[*place];
            table.row(&[
                kind.to_string(),
                format!("{} {}", prepared.method(), prepared.name),
                Count(span.count).to_string(),
                format!("{:.0} s", span.first.as_secs_f64()),
                format!("{:.0} s", span.last.as_secs_f64()),
            ]);
        }
        table.html("Failures")
    }

    /// One row a step where there are several.
    fn step_table(&self) -> String {
        let mut table = Table::new(&[
            "Step",
            "Held for",
            "Requests/s",
            "Failed",
            "p50",
            "p99",
            "Users by Little's law",
            "",
        ]);
        for step in self.steps.iter().filter(|_| self.steps.len() > 1) {
            let latency: Latencies = step.statistics().latency();
            table.row(&[
                format!("{} users", Count(step.users() as u64)),
                format!("{:.1} s", step.held().as_secs_f64()),
                Rate(step.requests_per_second()).to_string(),
                Count(step.statistics().failures()).to_string(),
                Time(latency.percentile(50.0)).to_string(),
                Time(latency.percentile(99.0)).to_string(),
                Rate(step.users_by_littles_law()).to_string(),
                step.doubt().unwrap_or_default().to_owned(),
            ]);
        }
        table.html("Steps, while all their users were at work")
    }

    fn process_table(&self) -> String {
        let mut table = Table::new(&["Process", "CPU", "Cores", "Peak memory"]);
        let mut row = |name: String, usage: &ProcessUsage| {
            let cpu = usage.cpu.as_secs_f64();
            let cores = cpu / self.lasted().as_secs_f64().max(f64::MIN_POSITIVE);
            table.row(&[
                name,
                format!("{cpu:.2} s"),
                format!("{cores:.2}"),
                Megabytes(usage.peak_memory).to_string(),
            ]);
        };
        row("this generator".to_owned(), self.generator());
        self.watched_processes().iter().for_each(|usage| row(format!("process {}", usage.pid), usage));
        table.html("Processes")
    }

    fn notes(&self) -> String {
        let (opened, again) = (self.statistics().connections(), self.statistics().reconnects());
        let lateness = Time(self.statistics().lateness().percentile(99.0));
        let from =
            if self.is_open_loop() { " Latency counts from the intended start of each request." } else { "" };
        let warnings: String =
            self.warnings.iter().map(|warning| format!(" Note: {}.", escaped(warning))).collect();
        format!(
            "<footer>{} connections opened, {} of them again. The generator was {lateness} behind its own schedule at p99.{from}{warnings} martello-load-test {}</footer>\n",
            Count(opened),
            Count(again),
            env!("CARGO_PKG_VERSION")
        )
    }
}

/// What the plan asks for, in words.
fn describe(plan: &Checked) -> String {
    match &plan.load {
        Load::Open { arrivals, .. } => format!("Open loop: {arrivals} requests/s"),
        Load::Closed { steps, think_time } => match &steps[..] {
            [step] => format!(
                "{} users, {} started a second, thinking {think_time} s",
                Count(step.users as u64),
                step.spawn_rate
            ),
            steps => {
                let most = steps.iter().map(|step| step.users).max().unwrap_or(0);
                format!("{} steps up to {} users, thinking {think_time} s", steps.len(), Count(most as u64))
            }
        },
    }
}
