//! Logged models, which MLflow has since version 3: model folders beside those of their runs.

use rusqlite::{Connection, OptionalExtension};

use super::failure::Work;
use crate::{Error, ErrorKind};

/// Returns the folder of a logged model.
pub(super) fn location(connection: &Connection, model_id: &str) -> Work<String> {
    if !are_known(connection)? {
        let message = format!(
            "models:/{model_id} is a logged model: the database is older than mlflow 3, which has them"
        );
        return Err(Error::new(ErrorKind::Unsupported, message).into());
    }
    let sql =
        "SELECT artifact_location FROM logged_models WHERE model_id = ?1 AND lifecycle_stage = 'active'";
    let location: Option<String> = connection.query_row(sql, [model_id], |row| row.get(0)).optional()?;
    location.ok_or_else(|| Error::not_found(format!("there is no logged model {model_id:?}")).into())
}

/// Returns the folder of the newest model of this name that the run has logged.
pub(super) fn of_run(connection: &Connection, run_id: &str, name: &str) -> Work<Option<String>> {
    if !are_known(connection)? {
        return Ok(None);
    }
    let sql = "SELECT artifact_location FROM logged_models
         WHERE source_run_id = ?1 AND name = ?2 AND lifecycle_stage = 'active'
         ORDER BY creation_timestamp_ms DESC LIMIT 1";
    Ok(connection.query_row(sql, [run_id, name], |row| row.get(0)).optional()?)
}

pub(super) fn are_known(connection: &Connection) -> Work<bool> {
    const SQL: &str =
        "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'logged_models')";
    Ok(connection.query_row(SQL, [], |row| row.get(0))?)
}
