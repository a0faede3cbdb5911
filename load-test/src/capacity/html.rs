//! Findings as a page: the sentences, the pictures, every probe, and a block to paste.

use crate::capacity::{Findings, Level, Outcome, Sweep};
use crate::draw::{Table, escaped, page, tile};
use crate::figures::{Count, Megabytes, Rate};

use super::sentences::time;

impl Findings {
    /// Returns the findings as one HTML document, which needs neither network nor scripts and follows the reader's light or
    /// dark theme.
    #[must_use]
    pub fn to_html(&self) -> String {
        let sweeps: String = self.sweeps.iter().map(|sweep| sweep.pictures() + &sweep.table()).collect();
        let body = [
            self.heading(),
            self.banner(),
            self.tiles(),
            self.sentence_section(),
            self.throughput_picture(),
            self.latency_picture(),
            self.limit_pictures(),
            self.memory_picture(),
            sweeps,
            self.block(),
            self.level_table(),
            format!(
                "<footer>Each probe counts while all its users are at work. martello-load-test {}</footer>\n",
                env!("CARGO_PKG_VERSION")
            ),
        ];
        page(&format!("Capacity of {}", self.host), &body.concat())
    }

    fn heading(&self) -> String {
        let (host, users) = (escaped(&self.host), Count(self.target_users as u64));
        let (think, breaks) = (self.think_time_seconds, escaped(&self.thresholds.join(", ")));
        format!(
            "<header><h1>Capacity of {host}</h1><p>{users} users asked for, thinking {think} s on average; it breaks on {breaks}</p></header>\n"
        )
    }

    fn banner(&self) -> String {
        let (class, word) = match self.held_users {
            Some(users) if users >= self.target_users => ("pass", "holds"),
            _ if self.cut_short => ("invalid", "unknown"),
            Some(_) => ("fail", "holds less"),
            None => ("fail", "holds nobody"),
        };
        let sentence = escaped(&self.held_sentence());
        format!("<div class=\"verdict {class}\"><b>{word}</b><p>{sentence}</p></div>\n")
    }

    fn tiles(&self) -> String {
        let held = self.held_users.map_or_else(|| "none".to_owned(), |users| Count(users as u64).to_string());
        let level = self.held_level();
        let figure = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
        let each = self.at_rest.cpu_seconds_per_request.map(|seconds| time(seconds).to_string());
        let tiles = [
            tile("Users held", &held, &format!("of {}", Count(self.target_users as u64))),
            tile(
                "Requests/s",
                &figure(level.map(|one| Rate(one.requests_per_second).to_string())),
                "of these users",
            ),
            tile("99 % within", &figure(level.map(|one| time(one.p99_seconds).to_string())), "p99"),
            tile("A request takes", &figure(each), "of processor time"),
            tile("Least cores", &figure(self.least_cores.map(|cores| format!("{cores:.2}"))), "real limit"),
            tile(
                "Least memory",
                &figure(self.least_memory_bytes.map(|bytes| Megabytes(bytes).to_string())),
                "real limit",
            ),
        ];
        format!("<div class=\"tiles\">\n{}</div>\n", tiles.concat())
    }

    fn sentence_section(&self) -> String {
        let sentences: String =
            self.sentences().iter().map(|sentence| format!("<p>{}</p>\n", escaped(sentence))).collect();
        format!("<section class=\"prose\"><h2>Findings</h2>{sentences}</section>\n")
    }

    fn block(&self) -> String {
        let Some(resources) = self.resources() else { return String::new() };
        let block = resources.to_string().lines().map(escaped).collect::<Vec<_>>().join("\n");
        format!("<section><h2>To paste into a Compose file</h2><pre>{block}</pre></section>\n")
    }

    fn level_table(&self) -> String {
        let mut table = Table::new(&[
            "Probe",
            "Requests/s",
            "Failed",
            "p50",
            "p95",
            "p99",
            "Cores",
            "Limit",
            "Throttled",
            "Outcome",
        ]);
        self.all_levels().for_each(|level| table.row(&row(level)));
        table.html("Every probe, in its order")
    }
}

fn row(level: &Level) -> Vec<String> {
    let known = |text: Option<String>| text.unwrap_or_default();
    let name = match (level.replicas, level.arrivals_per_second) {
        (Some(1), _) => "1 replica".to_owned(),
        (Some(replicas), _) => format!("{replicas} replicas"),
        (None, Some(rate)) => format!("{} a second", Rate(rate)),
        (None, None) => format!("{} users", Count(level.users as u64)),
    };
    let limits = [
        level.limit_cores.map(|cores| format!("{cores:.2} cores")),
        level.limit_memory_bytes.map(|bytes| Megabytes(bytes).to_string()),
    ];
    let outcome = match level.outcome {
        Outcome::Holds if level.replicas.is_some() => String::new(),
        Outcome::Holds => "holds".to_owned(),
        Outcome::Breaks => format!("breaks: {}", level.reasons.join("; ")),
        Outcome::Unknown => format!("unknown: {}", level.reasons.join("; ")),
    };
    vec![
        name,
        Rate(level.requests_per_second).to_string(),
        Count(level.failures).to_string(),
        time(level.p50_seconds).to_string(),
        time(level.p95_seconds).to_string(),
        time(level.p99_seconds).to_string(),
        known(level.cores().map(|cores| format!("{cores:.2}"))),
        limits.into_iter().flatten().collect::<Vec<_>>().join(", "),
        known(level.throttled_share.map(|share| format!("{:.0} %", share * 100.0))),
        outcome,
    ]
}

impl Sweep {
    fn table(&self) -> String {
        let mut table = Table::new(&["Replicas", "Cores each", "Requests/s", "By the law", "Residual"]);
        for (place, level) in self.levels.iter().enumerate() {
            let residual = self.law.as_ref().and_then(|law| law.residuals().get(place));
            table.row(&[
                level.replicas.unwrap_or(0).to_string(),
                level.limit_cores.map(|cores| format!("{cores:.2}")).unwrap_or_default(),
                Rate(level.requests_per_second).to_string(),
                residual.map(|one| Rate(one.fitted).to_string()).unwrap_or_default(),
                residual.map(|one| format!("{:+.1} %", one.relative() * 100.0)).unwrap_or_default(),
            ]);
        }
        table.html(self.title())
    }
}
