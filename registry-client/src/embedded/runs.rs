//! Runs in MLflow's tables.

use std::collections::BTreeMap;

use rusqlite::{
    Connection, OptionalExtension, Row, Transaction, params, params_from_iter, types::Value as Sql,
};
use uuid::Uuid;

use super::experiments::{self, lifecycle, pairs};
use super::failure::{Failure, Work};
use super::search::{self, Column, SearchField};
use super::{log, validate};
use crate::{
    ArtifactPath, Error, ErrorKind, Lifecycle, Location, NewRun, Page, Query, Run, RunField, RunStatus, Tags,
    Timestamp,
};

/// The tag under which MLflow keeps the run's name a second time.
pub(super) const RUN_NAME_TAG: &str = "mlflow.runName";

/// MLflow's own cap on a page of runs.
const MAX_PAGE: u32 = 50_000;

const SELECT: &str = "SELECT run_uuid, experiment_id, name, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri FROM runs";

pub(super) fn create(transaction: &Transaction<'_>, new: &NewRun) -> Work<Run> {
    validate::tags(&new.tags)?;
    let experiment = experiments::active(transaction, &new.experiment_id)?;
    let run_id = Uuid::new_v4().simple().to_string();
    let folder: ArtifactPath = format!("{run_id}/artifacts").parse()?;
    let artifact_uri = experiment.artifact_location.parse::<Location>()?.join(&folder).to_string();
    let mut tags = new.tags.clone();
    let made_up = || format!("run-{}", &run_id[..8]);
    let name = new.name.clone().or_else(|| tags.get(RUN_NAME_TAG).cloned()).unwrap_or_else(made_up);
    validate::name("run", &name)?;
    tags.insert(RUN_NAME_TAG.to_owned(), name.clone());
    let start = new.start_time.unwrap_or_else(Timestamp::now).as_millis();
    transaction.execute(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,
             source_version, lifecycle_stage, artifact_uri, experiment_id)
         VALUES (?1, ?2, 'UNKNOWN', '', '', ?3, 'RUNNING', ?4, '', 'active', ?5, ?6)",
        params![run_id, name, new.user_id.as_deref().unwrap_or_default(), start, artifact_uri, experiment.experiment_id],
    )?;
    log::write_tags(transaction, &run_id, &tags)?;
    by_id(transaction, &run_id)
}

pub(super) fn by_id(connection: &Connection, run_id: &str) -> Work<Run> {
    let found = connection.query_row(&format!("{SELECT} WHERE run_uuid = ?1"), [run_id], read).optional()?;
    let run = found.ok_or_else(|| Error::not_found(format!("there is no run {run_id:?}")))?;
    complete(connection, run)
}

/// Returns the run if it may be written to.
pub(super) fn active(connection: &Connection, run_id: &str) -> Work<()> {
    let stage: Option<Option<String>> = connection
        .query_row("SELECT lifecycle_stage FROM runs WHERE run_uuid = ?1", [run_id], |row| row.get(0))
        .optional()?;
    match stage.map(|stage| lifecycle(stage.as_deref())) {
        Some(Lifecycle::Active) => Ok(()),
        Some(Lifecycle::Deleted) => Err(Error::invalid(format!("the run {run_id} is deleted")).into()),
        None => Err(Error::not_found(format!("there is no run {run_id:?}")).into()),
    }
}

pub(super) fn finish(
    transaction: &Transaction<'_>,
    run_id: &str,
    status: RunStatus,
    end: Timestamp,
) -> Work<Run> {
    active(transaction, run_id)?;
    transaction.execute(
        "UPDATE runs SET status = ?2, end_time = ?3 WHERE run_uuid = ?1",
        params![run_id, status.as_str(), end.as_millis()],
    )?;
    by_id(transaction, run_id)
}

pub(super) fn delete(transaction: &Transaction<'_>, run_id: &str) -> Work<()> {
    active(transaction, run_id)?;
    transaction.execute(
        "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ?2 WHERE run_uuid = ?1",
        params![run_id, Timestamp::now().as_millis()],
    )?;
    Ok(())
}

pub(super) fn search(connection: &Connection, query: &Query<RunField>) -> Work<Page<Run>> {
    let mut clauses = search::clauses(query)?;
    clauses.add("lifecycle_stage = 'active'", []);
    if let Some((start, run_id)) = search::after::<(i64, String)>(query)? {
        clauses.add("(coalesce(start_time, 0), run_uuid) < (?, ?)", [Sql::from(start), Sql::from(run_id)]);
    }
    let size = query.page_size.clamp(1, MAX_PAGE);
    let sql = format!(
        "{SELECT} {} ORDER BY coalesce(start_time, 0) DESC, run_uuid DESC LIMIT {}",
        clauses.to_where(),
        u64::from(size) + 1
    );
    let mut statement = connection.prepare(&sql)?;
    let rows =
        statement.query_map(params_from_iter(clauses.values()), read)?.collect::<Result<Vec<_>, _>>()?;
    let runs = rows.into_iter().map(|row| complete(connection, row)).collect::<Work<Vec<_>>>()?;
    Ok(search::page(runs, size, |run| (run.start_time.map_or(0, Timestamp::as_millis), run.run_id.clone())))
}

impl SearchField for RunField {
    fn column(&self) -> Column<'_> {
        match self {
            Self::ExperimentId => Column::Text("CAST(experiment_id AS TEXT)"),
            Self::Name => Column::Text("name"),
            Self::Status => Column::Text("status"),
            Self::StartTime => Column::Number("start_time"),
            Self::Param(key) => Column::KeyedText { rows: "params k WHERE k.run_uuid = runs.run_uuid", key },
            Self::Tag(key) => Column::KeyedText { rows: "tags k WHERE k.run_uuid = runs.run_uuid", key },
            Self::Metric(key) => Column::KeyedNumber {
                rows: "latest_metrics k WHERE k.run_uuid = runs.run_uuid AND NOT k.is_nan",
                key,
            },
        }
    }
}

/// A run without what other tables hold, and its status as text.
type Bare = (Run, String);

fn read(row: &Row<'_>) -> rusqlite::Result<Bare> {
    let time = |column: usize| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
    };
    let text =
        |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(column)?.unwrap_or_default());
    let run = Run {
        run_id: row.get(0)?,
        experiment_id: row.get::<_, i64>(1)?.to_string(),
        name: text(2)?,
        user_id: text(3)?,
        status: RunStatus::Running,
        start_time: time(5)?,
        end_time: time(6)?,
        lifecycle: lifecycle(row.get::<_, Option<String>>(7)?.as_deref()),
        artifact_uri: text(8)?,
        params: Tags::new(),
        metrics: BTreeMap::new(),
        tags: Tags::new(),
    };
    Ok((run, text(4)?))
}

fn complete(connection: &Connection, (mut run, status): Bare) -> Work<Run> {
    run.status = status.parse().map_err(|error: Error| {
        Error::new(ErrorKind::Protocol, format!("the run {} has the status {status:?}", run.run_id))
            .with_source(error)
    })?;
    run.params = pairs(connection, "SELECT key, value FROM params WHERE run_uuid = ?1", [&run.run_id])?;
    run.tags = pairs(connection, "SELECT key, value FROM tags WHERE run_uuid = ?1", [&run.run_id])?;
    let mut statement =
        connection.prepare("SELECT key, value, is_nan FROM latest_metrics WHERE run_uuid = ?1")?;
    let metrics =
        statement.query_map([&run.run_id], |row| Ok((row.get(0)?, log::metric_value(row, 1, 2)?)))?;
    run.metrics = metrics.collect::<Result<_, _>>().map_err(Failure::from)?;
    Ok(run)
}
