//! Findings as a person reads them.

use std::fmt;
use std::time::Duration;

use crate::capacity::{Findings, Level, Outcome};
use crate::figures::{Count, Megabytes, Rate, Time};

impl Findings {
    /// Returns what was found out as sentences, each made from the numbers.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let held = self.held_sentence();
        let law = self.scalability.as_ref().map(|law| format!("Replicas: {law}."));
        [Some(self.prediction_sentence()), Some(held), self.knee_sentence(), self.limit_sentence(), law]
            .into_iter()
            .flatten()
            .collect()
    }

    fn prediction_sentence(&self) -> String {
        let rest = format!(
            "At rest ({} users) a request takes {} on average",
            Count(self.at_rest.users as u64),
            time(self.at_rest.mean_seconds)
        );
        let Some(prediction) = self.prediction else {
            return format!("{rest}; no process was watched, so nothing is predicted.");
        };
        let each = self.at_rest.cpu_seconds_per_request.unwrap_or(0.0);
        format!(
            "{rest} and {} of processor time, so {} users, who offer {} requests/s, should take {:.2} cores.",
            time(each),
            Count(self.target_users as u64),
            Rate(prediction.offered_requests_per_second),
            prediction.cores
        )
    }

    fn held_sentence(&self) -> String {
        let Some(level) = self.held_level() else {
            let why = if self.cut_short {
                "the probes could not tell"
            } else {
                "it broke at the fewest users that were tried"
            };
            return format!("No number of users was seen to hold: {why}.");
        };
        let took = match (level.cores(), level.memory_bytes) {
            (Some(cores), Some(memory)) => format!(" at {cores:.2} cores and {}", Megabytes(memory)),
            _ => String::new(),
        };
        let users = Count(level.users as u64);
        let ending = match level.users {
            users if users >= self.target_users => "; that is all that were asked for",
            _ if self.cut_short => "; whether it holds more, the generator could not tell",
            _ => "; one step more and it broke",
        };
        format!(
            "It holds {users} users{took}, with {} requests/s and a p99 of {}{ending}.",
            Rate(level.requests_per_second),
            time(level.p99_seconds)
        )
    }

    fn knee_sentence(&self) -> Option<String> {
        let (rate, users) = (self.saturation()?, self.knee_users()?);
        Some(format!(
            "It was seen to serve at most {} requests/s, which by Little's law {} users ask for.",
            Rate(rate),
            Rate(users)
        ))
    }

    fn limit_sentence(&self) -> Option<String> {
        let users = Count(self.held_users.filter(|_| !self.limits.is_empty())? as u64);
        let unknown = "the probes could not tell more";
        Some(match (self.least_cores, self.limit_cut_short) {
            (Some(cores), false) => {
                let broke = self.limits.iter().filter(|level| level.outcome == Outcome::Breaks);
                let below = broke.filter_map(|level| level.limit_cores).filter(|limit| *limit < cores);
                let less = below.reduce(f64::max).map(|limit| format!(" and not under {limit:.2}"));
                let less = less.unwrap_or_default();
                format!("{users} users hold under a real limit of {cores:.2} cores{less}.")
            }
            (Some(cores), true) => {
                format!("{users} users hold under a real limit of {cores:.2} cores; {unknown}.")
            }
            (None, true) => format!("No processor limit was seen to hold {users} users: {unknown}."),
            (None, false) => format!("No processor limit that was tried holds {users} users."),
        })
    }
}

fn time(seconds: f64) -> Time {
    Time(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for level in std::iter::once(&self.at_rest).chain(&self.levels).chain(&self.limits) {
            let level: &Level = level;
            writeln!(f, "{level}")?;
        }
        for residual in self.scalability.iter().flat_map(|law| law.residuals()) {
            writeln!(
                f,
                "{:>7} replicas {:>6} req/s   by the law {:>8}   residual {:>+5.1} %",
                residual.replicas,
                Rate(residual.measured),
                Rate(residual.fitted),
                residual.relative() * 100.0
            )?;
        }
        for sentence in self.sentences() {
            write!(f, "\n{sentence}")?;
        }
        if let Some(resources) = self.resources() {
            write!(
                f,
                "\n\ndeploy:\n  resources:\n    limits:\n      cpus: \"{:.2}\"\n      memory: {}M",
                resources.cpus, resources.memory_mib
            )?;
        }
        Ok(())
    }
}
