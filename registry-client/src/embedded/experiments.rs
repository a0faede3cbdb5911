//! Experiments in MLflow's tables.

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, Transaction, params};

use super::failure::{Failure, Work};
use super::validate;
use crate::{Error, ErrorKind, Experiment, Lifecycle, Location, NewExperiment, Tags, Timestamp};

const SELECT: &str = "SELECT experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time FROM experiments";

pub(super) fn create(
    transaction: &Transaction<'_>,
    new: &NewExperiment,
    artifacts: &Location,
) -> Work<Experiment> {
    validate::name("experiment", &new.name)?;
    validate::tags(&new.tags)?;
    let given = new.artifact_location.as_deref().map(str::parse::<Location>).transpose()?;
    let inserted = transaction.execute(
        "INSERT INTO experiments (name, lifecycle_stage, creation_time, last_update_time) VALUES (?1, 'active', ?2, ?2)",
        params![new.name, Timestamp::now().as_millis()],
    );
    match inserted {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            let message = format!("the experiment {:?} exists already", new.name);
            return Err(Error::new(ErrorKind::AlreadyExists, message).into());
        }
        inserted => inserted?,
    };
    let id = transaction.last_insert_rowid();
    let location = given.map_or_else(|| format!("{artifacts}/{id}"), |location| location.to_string());
    transaction.execute(
        "UPDATE experiments SET artifact_location = ?1 WHERE experiment_id = ?2",
        params![location, id],
    )?;
    for (key, value) in &new.tags {
        transaction.execute(
            "INSERT INTO experiment_tags (key, value, experiment_id) VALUES (?1, ?2, ?3)",
            params![key, value, id],
        )?;
    }
    by_id(transaction, &id.to_string())
}

pub(super) fn by_id(connection: &Connection, experiment_id: &str) -> Work<Experiment> {
    let missing = || Error::not_found(format!("there is no experiment with the id {experiment_id:?}"));
    let id: i64 = experiment_id.parse().map_err(|_| missing())?;
    find(connection, "experiment_id = ?1", [id])?.ok_or_else(|| missing().into())
}

pub(super) fn by_name(connection: &Connection, name: &str) -> Work<Experiment> {
    find(connection, "name = ?1", [name])?
        .ok_or_else(|| Error::not_found(format!("there is no experiment {name:?}")).into())
}

/// Returns the experiment if runs may be added to it.
pub(super) fn active(connection: &Connection, experiment_id: &str) -> Work<Experiment> {
    let experiment = by_id(connection, experiment_id)?;
    match experiment.lifecycle {
        Lifecycle::Active => Ok(experiment),
        Lifecycle::Deleted => {
            Err(Error::invalid(format!("the experiment {:?} is deleted", experiment.name)).into())
        }
    }
}

pub(super) fn lifecycle(text: Option<&str>) -> Lifecycle {
    if text == Some("deleted") { Lifecycle::Deleted } else { Lifecycle::Active }
}

/// Reads rows of two texts: tags and parameters.
pub(super) fn pairs(connection: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Work<Tags> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map(parameters, |row| {
        Ok((row.get(0)?, row.get::<_, Option<String>>(1)?.unwrap_or_default()))
    })?;
    rows.collect::<Result<Tags, _>>().map_err(Failure::from)
}

fn find(
    connection: &Connection,
    condition: &str,
    parameters: impl rusqlite::Params,
) -> Work<Option<Experiment>> {
    let found = connection.query_row(&format!("{SELECT} WHERE {condition}"), parameters, read).optional()?;
    let Some((id, mut experiment)) = found else { return Ok(None) };
    experiment.tags =
        pairs(connection, "SELECT key, value FROM experiment_tags WHERE experiment_id = ?1", [id])?;
    Ok(Some(experiment))
}

fn read(row: &Row<'_>) -> rusqlite::Result<(i64, Experiment)> {
    let id: i64 = row.get(0)?;
    let time = |column: usize| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
    };
    let experiment = Experiment {
        experiment_id: id.to_string(),
        name: row.get(1)?,
        artifact_location: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
        lifecycle: lifecycle(row.get::<_, Option<String>>(3)?.as_deref()),
        creation_time: time(4)?,
        last_update_time: time(5)?,
        tags: Tags::new(),
    };
    Ok((id, experiment))
}
