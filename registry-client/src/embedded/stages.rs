//! Which version is in charge: stages and aliases.

use rusqlite::{Connection, Transaction, params};

use super::failure::Work;
use super::{models, versions};
use crate::{AliasName, Error, ExistingVersions, ModelVersion, Promotion, Stage, Timestamp};

pub(super) fn transition(
    transaction: &Transaction<'_>,
    name: &str,
    version: u32,
    stage: Stage,
    existing: ExistingVersions,
) -> Work<ModelVersion> {
    versions::by_number(transaction, name, version)?;
    let now = Timestamp::now();
    if existing == ExistingVersions::Archive {
        archive_others(transaction, name, version, stage, now)?;
    }
    transaction.execute(
        "UPDATE model_versions SET current_stage = ?3, last_updated_time = ?4 WHERE name = ?1 AND version = ?2",
        params![name, version, stage.as_str(), now.as_millis()],
    )?;
    models::touch(transaction, name, now)?;
    versions::by_number(transaction, name, version)
}

pub(super) fn promote(transaction: &Transaction<'_>, promotion: &Promotion) -> Work<ModelVersion> {
    let Promotion { name, version, stage, alias } = promotion;
    let existing = if is_active(*stage) { ExistingVersions::Archive } else { ExistingVersions::Keep };
    let promoted = transition(transaction, name, *version, *stage, existing)?;
    match alias {
        Some(alias) => {
            set_alias(transaction, name, alias, *version)?;
            versions::by_number(transaction, name, *version)
        }
        None => Ok(promoted),
    }
}

pub(super) fn set_alias(transaction: &Transaction<'_>, name: &str, alias: &str, version: u32) -> Work<()> {
    alias.parse::<AliasName>()?;
    versions::by_number(transaction, name, version)?;
    transaction.execute(
        "INSERT OR REPLACE INTO registered_model_aliases (alias, version, name) VALUES (?1, ?2, ?3)",
        params![alias, version, name],
    )?;
    Ok(())
}

pub(super) fn delete_alias(transaction: &Transaction<'_>, name: &str, alias: &str) -> Work<()> {
    models::exists(transaction, name)?;
    transaction
        .execute("DELETE FROM registered_model_aliases WHERE name = ?1 AND alias = ?2", [name, alias])?;
    Ok(())
}

fn archive_others(connection: &Connection, name: &str, keep: u32, stage: Stage, now: Timestamp) -> Work<()> {
    if !is_active(stage) {
        let message = format!("versions can be archived from Staging and Production only, not from {stage}");
        return Err(Error::invalid(message).into());
    }
    connection.execute(
        "UPDATE model_versions SET current_stage = ?4, last_updated_time = ?5
         WHERE name = ?1 AND version <> ?2 AND current_stage = ?3",
        params![name, keep, stage.as_str(), Stage::Archived.as_str(), now.as_millis()],
    )?;
    Ok(())
}

fn is_active(stage: Stage) -> bool {
    matches!(stage, Stage::Staging | Stage::Production)
}
