//! What the database still needs of the folders beside it.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

use super::failure::Work;
use super::{logged_models, versions};
use crate::{Location, Timestamp};

/// What the database says about the owner of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// It is there.
    Active,
    /// It was deleted at this time, as far as that was noted.
    Deleted(Timestamp),
    /// The database does not know it.
    Unknown,
}

pub(super) fn run(connection: &Connection, run_id: &str) -> Work<Owner> {
    let sql = "SELECT lifecycle_stage, deleted_time FROM runs WHERE run_uuid = ?1";
    owner(connection, sql, run_id)
}

pub(super) fn logged_model(connection: &Connection, model_id: &str) -> Work<Owner> {
    if !logged_models::are_known(connection)? {
        return Ok(Owner::Unknown);
    }
    let sql = "SELECT lifecycle_stage, last_updated_timestamp_ms FROM logged_models WHERE model_id = ?1";
    owner(connection, sql, model_id)
}

/// Whatever is not said to be deleted counts as active.
fn owner(connection: &Connection, sql: &str, id: &str) -> Work<Owner> {
    let row: Option<(Option<String>, Option<i64>)> =
        connection.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(match row {
        Some((Some(stage), at)) if stage == "deleted" => {
            Owner::Deleted(Timestamp::from_millis(at.unwrap_or_default()))
        }
        Some(_) => Owner::Active,
        None => Owner::Unknown,
    })
}

/// Everything that model versions point to.
#[derive(Debug)]
pub(super) struct Pointers {
    texts: Vec<String>,
    folders: Vec<PathBuf>,
}

impl Pointers {
    pub(super) fn read(connection: &Connection) -> Work<Self> {
        let there = format!("coalesce(current_stage, '') <> '{}'", versions::DELETED);
        let mut statement = connection.prepare(&format!(
            "SELECT source FROM model_versions WHERE source IS NOT NULL AND {there}
             UNION SELECT storage_location FROM model_versions WHERE storage_location IS NOT NULL AND {there}"
        ))?;
        let texts: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let folders = texts.iter().filter_map(|text| local_folder(text)).collect();
        Ok(Self { texts, folders })
    }

    /// Returns whether a version points to the folder, to something in it or to something around it. Naming its identifier is
    /// enough, in whatever kind of URI.
    pub(super) fn need(&self, folder: &Path, id: &str) -> bool {
        self.texts.iter().any(|text| text.contains(id))
            || self.folders.iter().any(|needed| needed.starts_with(folder) || folder.starts_with(needed))
    }
}

fn local_folder(text: &str) -> Option<PathBuf> {
    match text.parse().ok()? {
        Location::File(path) => Some(path.canonicalize().unwrap_or(path)),
        _ => None,
    }
}
