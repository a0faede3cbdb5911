//! Findings of another day, and what has changed since.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::capacity::findings::SCHEMA;
use crate::capacity::{Findings, Level};
use crate::error::{Error, ErrorKind, Result};
use crate::figures::{Count, Megabytes, Rate};

/// The longest file that is read: findings of some hundred probes have some hundred kilobytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// A change smaller than this is what two runs on one machine differ by.
const NOTABLE: f64 = 0.05;

/// What earlier findings said; written by [`Findings::write_json`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Baseline {
    schema: String,
    host: String,
    target_users: usize,
    thresholds: Vec<String>,
    at_rest: Level,
    levels: Vec<Level>,
    held_users: Option<usize>,
    saturation_requests_per_second: Option<f64>,
    least_cores: Option<f64>,
    least_memory_bytes: Option<u64>,
    confirmations: Vec<Level>,
}

impl Baseline {
    /// Reads earlier findings.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be read, [`ErrorKind::InvalidText`] with line and column if it holds none.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let name = format!("baseline {}", path.as_ref().display());
        let unread = |error| Error::new(ErrorKind::Io, format!("{name} cannot be read")).caused_by(error);
        let mut text = String::new();
        let file = File::open(path.as_ref()).map_err(unread)?;
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(unread)?;
        let found: Self = serde_json::from_str(&text)
            .map_err(|error| Error::text(format!("{name} holds no findings: {error}")))?;
        if found.schema != SCHEMA {
            let message = format!("{name} has the schema {:?}, expected {SCHEMA:?}", found.schema);
            return Err(Error::text(message));
        }
        Ok(found)
    }

    fn held_level(&self) -> Option<&Level> {
        let users = self.held_users?;
        self.levels.iter().rev().find(|level| level.users == users && level.reasons.is_empty())
    }
}

/// A name, the figure then and now, and how it is written.
type Figure<'a> = (&'a str, Option<f64>, Option<f64>, fn(f64) -> String);

impl Findings {
    /// Returns what is different from earlier findings, as sentences; what differs by less than 5 % is called the same.
    #[must_use]
    pub fn changes_since(&self, before: &Baseline) -> Vec<String> {
        let mut changes = Vec::new();
        if (&before.host, before.target_users, &before.thresholds)
            != (&self.host, self.target_users, &self.thresholds)
        {
            changes.push(format!(
                "The question was another one: {} users on {}, breaking on {}.",
                Count(before.target_users as u64),
                before.host,
                before.thresholds.join(", ")
            ));
        }
        let (then, now) = (before.held_level(), self.held_level());
        let of = |level: Option<&Level>, figure: fn(&Level) -> f64| level.map(figure);
        let each = |level: &Level| level.cpu_seconds_per_request.map(|seconds| seconds * 1e6);
        #[expect(clippy::cast_precision_loss, reason = "counts below 2^53 are exact")]
        let (users, bytes) = (|users: usize| users as f64, |bytes: u64| bytes as f64);
        let figures: [Figure<'_>; 9] = [
            ("users held", before.held_users.map(users), self.held_users.map(users), whole),
            (
                "requests/s of these users",
                of(then, |one| one.requests_per_second),
                of(now, |one| one.requests_per_second),
                rate,
            ),
            ("their p99", of(then, |one| one.p99_seconds), of(now, |one| one.p99_seconds), time),
            ("highest rate seen", before.saturation_requests_per_second, self.saturation(), rate),
            ("processor time of a request", each(&before.at_rest), each(&self.at_rest), |micros| {
                format!("{micros:.0} µs")
            }),
            ("cores in use", then.and_then(Level::cores), now.and_then(Level::cores), cores),
            ("least cores", before.least_cores, self.least_cores, cores),
            (
                "memory in use",
                then.and_then(|one| one.memory_bytes).map(bytes),
                now.and_then(|one| one.memory_bytes).map(bytes),
                memory,
            ),
            (
                "least memory",
                before.least_memory_bytes.map(bytes),
                self.least_memory_bytes.map(bytes),
                memory,
            ),
        ];
        changes.extend(
            figures.into_iter().filter_map(|(name, then, now, written)| change(name, then, now, written)),
        );
        for (then, now) in before.confirmations.iter().zip(&self.confirmations) {
            if then.outcome != now.outcome {
                changes.push(format!(
                    "The open loop at {} requests/s: {:?} then, {:?} now.",
                    Rate(now.arrivals_per_second.unwrap_or(0.0)),
                    then.outcome,
                    now.outcome
                ));
            }
        }
        changes
    }
}

/// One line for one figure; `None` where neither run has it.
fn change(name: &str, then: Option<f64>, now: Option<f64>, written: fn(f64) -> String) -> Option<String> {
    let said = |value: Option<f64>| value.map_or_else(|| "not known".to_owned(), written);
    let (before, after) = (said(then), said(now));
    Some(match (then, now) {
        (None, None) => return None,
        (Some(then), Some(now)) => {
            let relative = (now - then) / then.abs().max(f64::MIN_POSITIVE);
            let ending = if relative.abs() < NOTABLE {
                "the same within 5 %".to_owned()
            } else {
                format!("{:+.0} %", relative * 100.0)
            };
            format!("{name}: {before} then, {after} now ({ending})")
        }
        _ => format!("{name}: {before} then, {after} now"),
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are not negative")]
fn whole(value: f64) -> String {
    Count(value as u64).to_string()
}

fn rate(value: f64) -> String {
    Rate(value).to_string()
}

fn time(seconds: f64) -> String {
    super::sentences::time(seconds).to_string()
}

fn cores(value: f64) -> String {
    format!("{value:.2}")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes are not negative")]
fn memory(bytes: f64) -> String {
    Megabytes(bytes as u64).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_said_with_both_figures_and_its_size() {
        assert_eq!(
            change("cores", Some(0.4), Some(0.2), cores).unwrap(),
            "cores: 0.40 then, 0.20 now (-50 %)"
        );
        assert_eq!(
            change("cores", Some(0.4), Some(0.41), cores).unwrap(),
            "cores: 0.40 then, 0.41 now (the same within 5 %)"
        );
        assert_eq!(change("cores", None, Some(1.0), cores).unwrap(), "cores: not known then, 1.00 now");
        assert_eq!(change("cores", None, None, cores), None);
    }
}
