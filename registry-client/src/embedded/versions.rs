//! Model versions in MLflow's tables.

use std::collections::HashMap;

use rusqlite::{
    Connection, OptionalExtension, Row, Transaction, params, params_from_iter, types::Value as Sql,
};

use super::failure::{Failure, Work};
use super::search::{self, Column, SearchField};
use super::{models, validate};
use crate::{
    Error, ErrorKind, ModelUri, ModelVersion, NewVersion, Page, Query, REQUEST_ID_TAG, Stage, Tags,
    Timestamp, VersionField, VersionStatus,
};

/// A page of versions is a page of models: MLflow's own cap of 200,000 would be a gigabyte.
const MAX_PAGE: u32 = 1000;

/// MLflow deletes a version by giving it this stage, so that its number is never given again.
pub(super) const DELETED: &str = "Deleted_Internal";

const SELECT: &str =
    "SELECT name, version, current_stage, status, status_message, source, run_id, description,
    creation_time, last_updated_time, user_id FROM model_versions";

pub(super) fn create(transaction: &Transaction<'_>, new: &NewVersion) -> Work<ModelVersion> {
    models::exists(transaction, &new.name)?;
    if let Some(found) = by_request(transaction, new)? {
        return Ok(found);
    }
    let tags = checked_tags(new)?;
    let now = Timestamp::now();
    let version: u32 = transaction.query_row(
        "SELECT coalesce(max(version), 0) + 1 FROM model_versions WHERE name = ?1",
        [&new.name],
        |row| row.get(0),
    )?;
    transaction.execute(
        "INSERT INTO model_versions (name, version, creation_time, last_updated_time, description, current_stage, source,
             run_id, status, storage_location)
         VALUES (?1, ?2, ?3, ?3, ?4, 'None', ?5, ?6, 'READY', ?7)",
        params![
            new.name,
            version,
            now.as_millis(),
            new.description,
            new.source,
            new.run_id,
            storage_location(transaction, &new.source)?
        ],
    )?;
    for (key, value) in &tags {
        write_tag(transaction, &new.name, version, key, value)?;
    }
    models::touch(transaction, &new.name, now)?;
    by_number(transaction, &new.name, version)
}

pub(super) fn by_number(connection: &Connection, name: &str, version: u32) -> Work<ModelVersion> {
    let sql = format!("{SELECT} WHERE name = ?1 AND version = ?2 AND current_stage <> '{DELETED}'");
    read_all(connection, &sql, params![name, version])?.pop().ok_or_else(|| missing(name, version).into())
}

pub(super) fn by_alias(connection: &Connection, name: &str, alias: &str) -> Work<ModelVersion> {
    let sql = "SELECT version FROM registered_model_aliases WHERE name = ?1 AND alias = ?2";
    let version: Option<u32> = connection.query_row(sql, [name, alias], |row| row.get(0)).optional()?;
    let missing = || Error::not_found(format!("the model {name:?} has no alias {alias:?}"));
    by_number(connection, name, version.ok_or_else(missing)?)
}

/// Returns the newest version of each stage, or of those named.
pub(super) fn latest(connection: &Connection, name: &str, stages: &[Stage]) -> Work<Vec<ModelVersion>> {
    let wanted = if stages.is_empty() { &Stage::ALL[..] } else { stages };
    let wanted = wanted.iter().map(|stage| format!("'{stage}'")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "{SELECT} WHERE name = ?1 AND version IN (
             SELECT max(version) FROM model_versions
             WHERE name = ?1 AND current_stage IN ({wanted}) GROUP BY current_stage)
         ORDER BY version"
    );
    read_all(connection, &sql, [name])
}

pub(super) fn search(connection: &Connection, query: &Query<VersionField>) -> Work<Page<ModelVersion>> {
    let mut clauses = search::clauses(query)?;
    clauses.add("current_stage <> ?", [DELETED.to_owned().into()]);
    if let Some((name, version)) = search::after::<(String, u32)>(query)? {
        clauses.add(
            "(name > ? OR (name = ? AND version < ?))",
            [name.clone().into(), name.into(), Sql::from(version)],
        );
    }
    let size = query.page_size.clamp(1, MAX_PAGE);
    let sql = format!("{SELECT} {} ORDER BY name, version DESC LIMIT {}", clauses.to_where(), size + 1);
    let versions = read_all(connection, &sql, params_from_iter(clauses.values()))?;
    Ok(search::page(versions, size, |version| (version.name.clone(), version.version)))
}

pub(super) fn describe(
    transaction: &Transaction<'_>,
    name: &str,
    version: u32,
    description: &str,
) -> Work<()> {
    validate::description(Some(description))?;
    by_number(transaction, name, version)?;
    transaction.execute(
        "UPDATE model_versions SET description = ?3, last_updated_time = ?4 WHERE name = ?1 AND version = ?2",
        params![name, version, description, Timestamp::now().as_millis()],
    )?;
    Ok(())
}

/// As MLflow does it: the row stays, so that the number is not given again, and says nothing any more.
pub(super) fn delete(transaction: &Transaction<'_>, name: &str, version: u32) -> Work<()> {
    by_number(transaction, name, version)?;
    let now = Timestamp::now();
    transaction.execute(
        "DELETE FROM registered_model_aliases WHERE name = ?1 AND version = ?2",
        params![name, version],
    )?;
    transaction.execute(
        "UPDATE model_versions SET current_stage = ?3, last_updated_time = ?4, description = NULL, user_id = NULL,
             source = 'REDACTED-SOURCE-PATH', run_id = 'REDACTED-RUN-ID', run_link = 'REDACTED-RUN-LINK', status_message = NULL
         WHERE name = ?1 AND version = ?2",
        params![name, version, DELETED, now.as_millis()],
    )?;
    models::touch(transaction, name, now)
}

pub(super) fn tag(
    transaction: &Transaction<'_>,
    name: &str,
    version: u32,
    key: &str,
    value: Option<&str>,
) -> Work<()> {
    by_number(transaction, name, version)?;
    match value {
        Some(value) => {
            validate::tag(key, value)?;
            write_tag(transaction, name, version, key, value)
        }
        None => {
            let sql = "DELETE FROM model_version_tags WHERE key = ?1 AND name = ?2 AND version = ?3";
            transaction.execute(sql, params![key, name, version])?;
            Ok(())
        }
    }
}

pub(super) fn download_location(connection: &Connection, name: &str, version: u32) -> Work<String> {
    let sql = format!(
        "SELECT coalesce(storage_location, source) FROM model_versions
         WHERE name = ?1 AND version = ?2 AND current_stage <> '{DELETED}'"
    );
    let location: Option<Option<String>> =
        connection.query_row(&sql, params![name, version], |row| row.get(0)).optional()?;
    location.flatten().ok_or_else(|| missing(name, version).into())
}

impl SearchField for VersionField {
    fn column(&self) -> Column<'_> {
        match self {
            Self::Name => Column::Text("name"),
            Self::Number => Column::Number("version"),
            Self::RunId => Column::Text("run_id"),
            Self::Source => Column::Text("source"),
            Self::Tag(key) => Column::KeyedText {
                rows: "model_version_tags k WHERE k.name = model_versions.name AND k.version = model_versions.version",
                key,
            },
        }
    }
}

fn checked_tags(new: &NewVersion) -> Work<Tags> {
    validate::description(new.description.as_deref())?;
    let mut tags = new.tags.clone();
    if let Some(request_id) = &new.request_id {
        tags.insert(REQUEST_ID_TAG.to_owned(), request_id.clone());
    }
    validate::tags(&tags)?;
    Ok(tags)
}

/// Finds what an earlier call with the same request id made: the first one, since copying a version copies its tags.
fn by_request(connection: &Connection, new: &NewVersion) -> Work<Option<ModelVersion>> {
    let Some(request_id) = &new.request_id else { return Ok(None) };
    let sql = format!(
        "{SELECT} WHERE name = ?1 AND current_stage <> '{DELETED}' AND version IN (
             SELECT version FROM model_version_tags WHERE key = ?2 AND name = ?1 AND value = ?3)
         ORDER BY version LIMIT 1"
    );
    Ok(read_all(connection, &sql, [&new.name, REQUEST_ID_TAG, request_id])?.pop())
}

/// Where the files are: for a copy of another version, where that one's are. MLflow resolves this when the version is made, too.
fn storage_location(connection: &Connection, source: &str) -> Work<String> {
    match source.parse::<ModelUri>() {
        Ok(ModelUri::Version { name, version }) => download_location(connection, name.as_str(), version),
        _ => Ok(source.to_owned()),
    }
}

fn write_tag(transaction: &Transaction<'_>, name: &str, version: u32, key: &str, value: &str) -> Work<()> {
    transaction.execute(
        "INSERT OR REPLACE INTO model_version_tags (key, value, name, version) VALUES (?1, ?2, ?3, ?4)",
        params![key, value, name, version],
    )?;
    Ok(())
}

fn missing(name: &str, version: u32) -> Error {
    Error::not_found(format!("the model {name:?} has no version {version}"))
}

fn read_all(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Work<Vec<ModelVersion>> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map(parameters, read)?.collect::<Result<Vec<_>, _>>()?;
    let mut tags = tags(connection, &rows)?;
    rows.into_iter()
        .map(|row| {
            let of_row = tags.remove(&(row.0.name.clone(), row.0.version)).unwrap_or_default();
            complete(connection, row, of_row)
        })
        .collect()
}

/// Reads the tags of these versions in one go: the key of MLflow's table begins with the tag's name, so finding those of one version
/// means to look at all of them.
fn tags(connection: &Connection, rows: &[Bare]) -> Work<HashMap<(String, u32), Tags>> {
    let mut found: HashMap<_, Tags> = HashMap::new();
    if rows.is_empty() {
        return Ok(found);
    }
    let places = vec!["(?, ?)"; rows.len()].join(", ");
    let sql = format!(
        "SELECT name, version, key, value FROM model_version_tags WHERE (name, version) IN (VALUES {places})"
    );
    let keys = rows.iter().flat_map(|(it, ..)| [Sql::from(it.name.clone()), Sql::from(it.version)]);
    let mut statement = connection.prepare(&sql)?;
    let mut tags = statement.query(params_from_iter(keys))?;
    while let Some(row) = tags.next()? {
        let value: Option<String> = row.get(3)?;
        found.entry((row.get(0)?, row.get(1)?)).or_default().insert(row.get(2)?, value.unwrap_or_default());
    }
    Ok(found)
}

/// A version without what other tables hold, its stage and its status as text.
type Bare = (ModelVersion, String, String);

fn read(row: &Row<'_>) -> rusqlite::Result<Bare> {
    let time =
        |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.unwrap_or_default());
    let text = |column: usize, default: &str| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(column)?.unwrap_or_else(|| default.to_owned()))
    };
    let version = ModelVersion {
        name: row.get(0)?,
        version: row.get(1)?,
        stage: Stage::None,
        status: VersionStatus::Ready,
        status_message: row.get(4)?,
        source: text(5, "")?,
        run_id: row.get::<_, Option<String>>(6)?.filter(|run_id| !run_id.is_empty()),
        description: row.get(7)?,
        creation_time: Timestamp::from_millis(time(8)?),
        last_updated_time: Timestamp::from_millis(time(9)?),
        user_id: row.get(10)?,
        aliases: Vec::new(),
        tags: Tags::new(),
    };
    Ok((version, text(2, "None")?, text(3, "READY")?))
}

fn complete(connection: &Connection, (mut version, stage, status): Bare, tags: Tags) -> Work<ModelVersion> {
    let unknown = |error: Error| {
        let message =
            format!("version {} of {}: stage {stage:?}, status {status:?}", version.version, version.name);
        Error::new(ErrorKind::Protocol, message).with_source(error)
    };
    (version.stage, version.status) = (stage.parse().map_err(unknown)?, status.parse().map_err(unknown)?);
    version.tags = tags;
    let mut statement = connection.prepare(
        "SELECT alias FROM registered_model_aliases WHERE name = ?1 AND version = ?2 ORDER BY alias",
    )?;
    let aliases = statement.query_map(params![version.name, version.version], |row| row.get(0))?;
    version.aliases = aliases.collect::<Result<_, _>>().map_err(Failure::from)?;
    Ok(version)
}
