//! Parameters, metrics and tags of runs, by MLflow's rules.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::failure::{Failure, Work};
use super::runs::{self, RUN_NAME_TAG};
use super::validate;
use crate::{Error, Metric, RunBatch, Tags, Timestamp};

pub(super) fn write(transaction: &Transaction<'_>, run_id: &str, batch: &RunBatch) -> Work<()> {
    validate::batch(batch)?;
    runs::active(transaction, run_id)?;
    write_params(transaction, run_id, &batch.params)?;
    for metric in &batch.metrics {
        write_metric(transaction, run_id, metric)?;
    }
    write_tags(transaction, run_id, &batch.tags)
}

pub(super) fn write_tags(transaction: &Transaction<'_>, run_id: &str, tags: &Tags) -> Work<()> {
    for (key, value) in tags {
        transaction.execute(
            "INSERT OR REPLACE INTO tags (key, value, run_uuid) VALUES (?1, ?2, ?3)",
            params![key, value, run_id],
        )?;
        if key == RUN_NAME_TAG {
            transaction.execute("UPDATE runs SET name = ?2 WHERE run_uuid = ?1", params![run_id, value])?;
        }
    }
    Ok(())
}

pub(super) fn history(connection: &Connection, run_id: &str, key: &str) -> Work<Vec<Metric>> {
    runs::by_id(connection, run_id)?;
    let mut statement = connection.prepare(
        "SELECT value, is_nan, timestamp, step FROM metrics WHERE run_uuid = ?1 AND key = ?2 ORDER BY timestamp, step, value",
    )?;
    let rows = statement.query_map([run_id, key], |row| {
        Ok(Metric {
            key: key.to_owned(),
            value: metric_value(row, 0, 1)?,
            timestamp: Timestamp::from_millis(row.get(2)?),
            step: row.get(3)?,
        })
    })?;
    rows.collect::<Result<_, _>>().map_err(Failure::from)
}

/// Reads a value as MLflow stores it: NaN as a flag, infinities as the largest finite numbers.
pub(super) fn metric_value(row: &Row<'_>, value: usize, is_nan: usize) -> rusqlite::Result<f64> {
    let stored: f64 = row.get(value)?;
    Ok(match stored {
        _ if row.get(is_nan)? => f64::NAN,
        f64::MAX => f64::INFINITY,
        f64::MIN => f64::NEG_INFINITY,
        finite => finite,
    })
}

/// A parameter says what a run was told, so it never changes; saying it again is fine.
fn write_params(transaction: &Transaction<'_>, run_id: &str, params: &Tags) -> Work<()> {
    for (key, value) in params {
        let stored: Option<String> = transaction
            .query_row(
                "SELECT value FROM params WHERE key = ?1 AND run_uuid = ?2",
                [key.as_str(), run_id],
                |row| row.get(0),
            )
            .optional()?;
        match stored {
            Some(stored) if stored == *value => {}
            Some(stored) => {
                let message =
                    format!("parameter {key:?} of run {run_id} is {stored:?} and cannot become {value:?}");
                return Err(Error::invalid(message).into());
            }
            None => {
                transaction.execute(
                    "INSERT INTO params (key, value, run_uuid) VALUES (?1, ?2, ?3)",
                    params![key, value, run_id],
                )?;
            }
        }
    }
    Ok(())
}

fn write_metric(transaction: &Transaction<'_>, run_id: &str, metric: &Metric) -> Work<()> {
    let is_nan = metric.value.is_nan();
    let value = if is_nan { 0.0 } else { metric.value.clamp(f64::MIN, f64::MAX) };
    let time = metric.timestamp.as_millis();
    // The same value for the same step at the same time is one measurement.
    transaction.execute(
        "INSERT OR IGNORE INTO metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![metric.key, value, time, metric.step, is_nan, run_id],
    )?;
    let newer: bool = transaction.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM latest_metrics
             WHERE key = ?1 AND run_uuid = ?2 AND (step, coalesce(timestamp, 0), value) >= (?3, ?4, ?5))",
        params![metric.key, run_id, metric.step, time, value],
        |row| row.get(0),
    )?;
    if newer {
        transaction.execute(
            "INSERT OR REPLACE INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![metric.key, value, time, metric.step, is_nan, run_id],
        )?;
    }
    Ok(())
}
