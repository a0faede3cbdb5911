//! Registered models in MLflow's tables.

use std::collections::BTreeMap;

use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Row, Transaction, params, params_from_iter, types::Value as Sql,
};

use super::experiments::pairs;
use super::failure::{Failure, Work};
use super::search::{self, Column, SearchField};
use super::{validate, versions};
use crate::{
    Error, ErrorKind, ModelField, ModelName, NewModel, Page, Query, RegisteredModel, Tags, Timestamp,
};

/// MLflow's own cap on a page of models.
const MAX_PAGE: u32 = 1000;

const SELECT: &str = "SELECT name, description, creation_time, last_updated_time FROM registered_models";

pub(super) fn create(transaction: &Transaction<'_>, new: &NewModel) -> Work<RegisteredModel> {
    new.name.parse::<ModelName>()?;
    validate::description(new.description.as_deref())?;
    validate::tags(&new.tags)?;
    let inserted = transaction.execute(
        "INSERT INTO registered_models (name, creation_time, last_updated_time, description) VALUES (?1, ?2, ?2, ?3)",
        params![new.name, Timestamp::now().as_millis(), new.description],
    );
    match inserted {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            let message = format!("the registered model {:?} exists already", new.name);
            return Err(Error::new(ErrorKind::AlreadyExists, message).into());
        }
        inserted => inserted?,
    };
    for (key, value) in &new.tags {
        tag(transaction, &new.name, key, Some(value))?;
    }
    by_name(transaction, &new.name)
}

pub(super) fn by_name(connection: &Connection, name: &str) -> Work<RegisteredModel> {
    let found = connection.query_row(&format!("{SELECT} WHERE name = ?1"), [name], read).optional()?;
    complete(connection, found.ok_or_else(|| missing(name))?)
}

/// Fails when there is no such model.
pub(super) fn exists(connection: &Connection, name: &str) -> Work<()> {
    let sql = "SELECT EXISTS (SELECT 1 FROM registered_models WHERE name = ?1)";
    if connection.query_row(sql, [name], |row| row.get(0))? { Ok(()) } else { Err(missing(name).into()) }
}

/// Notes that the model, or a version of it, has just changed.
pub(super) fn touch(transaction: &Transaction<'_>, name: &str, now: Timestamp) -> Work<()> {
    transaction.execute(
        "UPDATE registered_models SET last_updated_time = ?2 WHERE name = ?1",
        params![name, now.as_millis()],
    )?;
    Ok(())
}

pub(super) fn search(connection: &Connection, query: &Query<ModelField>) -> Work<Page<RegisteredModel>> {
    let mut clauses = search::clauses(query)?;
    if let Some((name,)) = search::after::<(String,)>(query)? {
        clauses.add("name > ?", [Sql::from(name)]);
    }
    let size = query.page_size.clamp(1, MAX_PAGE);
    let sql = format!("{SELECT} {} ORDER BY name LIMIT {}", clauses.to_where(), size + 1);
    let mut statement = connection.prepare(&sql)?;
    let rows =
        statement.query_map(params_from_iter(clauses.values()), read)?.collect::<Result<Vec<_>, _>>()?;
    let models = rows.into_iter().map(|row| complete(connection, row)).collect::<Work<Vec<_>>>()?;
    Ok(search::page(models, size, |model| (model.name.clone(),)))
}

pub(super) fn describe(transaction: &Transaction<'_>, name: &str, description: &str) -> Work<()> {
    validate::description(Some(description))?;
    exists(transaction, name)?;
    transaction
        .execute("UPDATE registered_models SET description = ?2 WHERE name = ?1", [name, description])?;
    touch(transaction, name, Timestamp::now())
}

/// Rows that refer to others go first: the keys are checked at once.
pub(super) fn delete(transaction: &Transaction<'_>, name: &str) -> Work<()> {
    exists(transaction, name)?;
    for table in [
        "model_version_tags",
        "registered_model_aliases",
        "registered_model_tags",
        "model_versions",
        "registered_models",
    ] {
        transaction.execute(&format!("DELETE FROM {table} WHERE name = ?1"), [name])?;
    }
    Ok(())
}

pub(super) fn tag(transaction: &Transaction<'_>, name: &str, key: &str, value: Option<&str>) -> Work<()> {
    exists(transaction, name)?;
    match value {
        Some(value) => {
            validate::tag(key, value)?;
            transaction.execute(
                "INSERT OR REPLACE INTO registered_model_tags (key, value, name) VALUES (?1, ?2, ?3)",
                [key, value, name],
            )?;
        }
        None => {
            transaction
                .execute("DELETE FROM registered_model_tags WHERE key = ?1 AND name = ?2", [key, name])?;
        }
    }
    Ok(())
}

pub(super) fn missing(name: &str) -> Error {
    Error::not_found(format!("there is no registered model {name:?}"))
}

impl SearchField for ModelField {
    fn column(&self) -> Column<'_> {
        match self {
            Self::Name => Column::Text("name"),
            Self::Tag(key) => Column::KeyedText {
                rows: "registered_model_tags k WHERE k.name = registered_models.name",
                key,
            },
        }
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<RegisteredModel> {
    let time =
        |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.unwrap_or_default());
    Ok(RegisteredModel {
        name: row.get(0)?,
        description: row.get(1)?,
        creation_time: Timestamp::from_millis(time(2)?),
        last_updated_time: Timestamp::from_millis(time(3)?),
        latest_versions: Vec::new(),
        aliases: BTreeMap::new(),
        tags: Tags::new(),
    })
}

fn complete(connection: &Connection, mut model: RegisteredModel) -> Work<RegisteredModel> {
    model.latest_versions = versions::latest(connection, &model.name, &[])?;
    model.tags =
        pairs(connection, "SELECT key, value FROM registered_model_tags WHERE name = ?1", [&model.name])?;
    let mut statement =
        connection.prepare("SELECT alias, version FROM registered_model_aliases WHERE name = ?1")?;
    let aliases = statement.query_map([&model.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
    model.aliases = aliases.collect::<Result<_, _>>().map_err(Failure::from)?;
    Ok(model)
}
