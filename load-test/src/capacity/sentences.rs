//! Findings as a person reads them.

use std::fmt;
use std::time::Duration;

use crate::capacity::{Findings, Level, Outcome, Resources, Share, Sweep};
use crate::figures::{Count, Megabytes, Rate, Time};

impl Findings {
    /// Returns what was found out as sentences, each made from the numbers.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let held = self.held_sentence();
        let first = [Some(self.prediction_sentence()), Some(held), self.knee_sentence()];
        let limits = [self.limit_sentence(), self.memory_sentence()];
        let confirmations = self.confirmations.iter().map(|level| Some(confirmation_sentence(level)));
        let sweeps = self.sweeps.iter().map(|sweep| sweep.sentence());
        first.into_iter().chain(confirmations).chain(limits).chain(sweeps).flatten().collect()
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

    pub(super) fn held_sentence(&self) -> String {
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

    fn memory_sentence(&self) -> Option<String> {
        let users = Count(self.held_users.filter(|_| !self.memory_limits.is_empty())? as u64);
        let unknown = if self.memory_cut_short { "; the probes could not tell more" } else { "" };
        let Some(least) = self.least_memory_bytes else {
            return Some(format!("No memory limit that was tried was seen to hold {users} users{unknown}."));
        };
        let broke = self.memory_limits.iter().filter(|level| level.outcome == Outcome::Breaks);
        let below = broke.filter_map(|level| level.limit_memory_bytes).filter(|limit| *limit < least).max();
        let less = below.map(|limit| format!(" and not under {}", Megabytes(limit))).unwrap_or_default();
        Some(format!("{users} users hold under a real memory limit of {}{less}{unknown}.", Megabytes(least)))
    }
}

fn confirmation_sentence(level: &Level) -> String {
    let rate = Rate(level.arrivals_per_second.unwrap_or(0.0));
    let ending = match level.outcome {
        Outcome::Holds => "holds".to_owned(),
        Outcome::Breaks => format!("breaks: {}", level.reasons.join("; ")),
        Outcome::Unknown => format!("could not be told: {}", level.reasons.join("; ")),
    };
    let p99 = time(level.p99_seconds);
    format!("Strangers who come at random, {rate} a second (open loop), see a p99 of {p99}: it {ending}.")
}

impl Sweep {
    /// What replicas change, in words; `None` if nothing was measured.
    fn sentence(&self) -> Option<String> {
        let (first, last) = (self.levels.first()?, self.levels.last()?);
        let cores = |level: &Level| {
            level.limit_cores.map(|cores| format!(" of {cores:.2} cores")).unwrap_or_default()
        };
        let what = match self.share {
            Share::Split => "Split over replicas that share the same processor time",
            Share::Each => "With replicas that have the same processor time each",
            Share::Given => "With more replicas",
        };
        let growth = last.requests_per_second / first.requests_per_second.max(f64::MIN_POSITIVE);
        let law = self.law.as_ref().map(|law| format!("; by the law {law}")).unwrap_or_default();
        let many = |level: &Level| match level.replicas {
            Some(1) => "one replica".to_owned(),
            replicas => format!("{} replicas", replicas.unwrap_or(0)),
        };
        Some(format!(
            "{what}: {}{} serves {} requests/s, {}{} serve {} ({growth:.2} times as many){law}.",
            many(first),
            cores(first),
            Rate(first.requests_per_second),
            many(last),
            cores(last),
            Rate(last.requests_per_second),
        ))
    }
}

pub(super) fn time(seconds: f64) -> Time {
    Time(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

impl fmt::Display for Resources {
    /// A block for a Compose file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cpus, memory) = (self.cpus, self.memory_mib);
        write!(f, "deploy:\n  resources:\n    limits:\n      cpus: \"{cpus:.2}\"\n      memory: {memory}M")
    }
}

impl Findings {
    /// Every probe, in its order.
    pub(super) fn all_levels(&self) -> impl Iterator<Item = &Level> {
        let searched = std::iter::once(&self.at_rest).chain(&self.levels).chain(&self.confirmations);
        let limited = self.limits.iter().chain(&self.memory_limits);
        searched.chain(limited).chain(self.sweeps.iter().flat_map(|sweep| &sweep.levels))
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for level in self.all_levels() {
            writeln!(f, "{level}")?;
        }
        for residual in self.sweeps.iter().flat_map(|sweep| &sweep.law).flat_map(|law| law.residuals()) {
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
        self.resources().map_or(Ok(()), |resources| write!(f, "\n\n{resources}"))
    }
}
