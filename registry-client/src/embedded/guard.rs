//! Which schema revisions are known. An unknown one is refused before anything is read or written.

use rusqlite::{Connection, OptionalExtension};

use super::failure::Work;
use crate::{Error, ErrorKind};

/// What MLflow 2.14 makes, and what is made here.
pub(super) const BASELINE: &str = "5b0e9adcef9c";

/// What MLflow 3.17 makes of it: wider columns, further tables, and a workspace in the keys of the registry's tables.
const WITH_WORKSPACES: &str = "dc11669786a5";

/// The workspace of everything that was not put into another one: a literal, since it stands in MLflow's own column defaults.
const OTHER_WORKSPACES: &str =
    "SELECT EXISTS (SELECT 1 FROM registered_models WHERE workspace < 'default' OR workspace > 'default')
    OR EXISTS (SELECT 1 FROM experiments WHERE workspace <> 'default')";

/// Checks that the database may be read and written; run in every transaction, since an MLflow may upgrade the file at any time.
pub(super) fn check(connection: &Connection) -> Work<()> {
    let revision: Option<String> =
        connection.query_row("SELECT version_num FROM alembic_version", [], |row| row.get(0)).optional()?;
    match revision.as_deref() {
        Some(BASELINE) => Ok(()),
        Some(WITH_WORKSPACES) if connection.query_row(OTHER_WORKSPACES, [], |row| row.get(0))? => {
            Err(refuse("it uses workspaces, whose names are not unique: use the REST backend (http://...) of an mlflow server").into())
        }
        Some(WITH_WORKSPACES) => Ok(()),
        Some(revision) => Err(refuse(&format!(
            "its schema revision {revision} is not known (known: {BASELINE} of mlflow 2.14, {WITH_WORKSPACES} of mlflow 3.17): \
             if it is older, upgrade a copy with `mlflow db upgrade`; if it is newer, use the REST backend (http://...) of an mlflow server"
        ))
        .into()),
        None => Err(refuse("its schema has no revision: run `mlflow db upgrade` on a copy, or use another file").into()),
    }
}

/// Returns whether the database holds nothing yet.
pub(super) fn is_empty(connection: &Connection) -> Work<bool> {
    Ok(connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_master)", [], |row| row.get(0))?)
}

/// Returns whether the database is one of MLflow's at all.
pub(super) fn is_mlflow(connection: &Connection) -> Work<bool> {
    const SQL: &str =
        "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version')";
    Ok(connection.query_row(SQL, [], |row| row.get(0))?)
}

pub(super) fn refuse(why: &str) -> Error {
    Error::new(ErrorKind::SchemaUnsupported, format!("the database cannot be used: {why}"))
}
