//! Our own tables, step by step. MLflow's tables are not ours to migrate.

use rusqlite::{OptionalExtension, Transaction};

use super::failure::Work;
use super::guard::refuse;

/// Each step is run once, in order, in the transaction that notes it. A step is never changed after a release.
const STEPS: [&str; 1] = ["CREATE TABLE mt_meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)"];

pub(super) fn run(transaction: &Transaction<'_>) -> Work<()> {
    apply(transaction, &STEPS)
}

fn apply(transaction: &Transaction<'_>, steps: &[&str]) -> Work<()> {
    let done = done(transaction)?;
    if done > steps.len() {
        return Err(refuse(&format!(
            "a newer version of this crate made its mt_ tables (step {done} of {})",
            steps.len()
        ))
        .into());
    }
    if done == steps.len() {
        return Ok(());
    }
    for step in &steps[done..] {
        transaction.execute_batch(step)?;
    }
    transaction.execute(
        "INSERT OR REPLACE INTO mt_meta (key, value) VALUES ('schema_version', ?1)",
        [steps.len().to_string()],
    )?;
    Ok(())
}

fn done(transaction: &Transaction<'_>) -> Work<usize> {
    const MADE: &str =
        "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'mt_meta')";
    if !transaction.query_row(MADE, [], |row| row.get(0))? {
        return Ok(0);
    }
    let noted: Option<String> = transaction
        .query_row("SELECT value FROM mt_meta WHERE key = 'schema_version'", [], |row| row.get(0))
        .optional()?;
    let version = noted.as_deref().and_then(|text| text.parse().ok());
    version.ok_or_else(|| refuse("its table mt_meta has no schema_version").into())
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn steps_run_once_and_a_newer_schema_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        let steps = [STEPS[0], "CREATE TABLE mt_next (x)"];
        for done in [1, 2, 2] {
            let transaction = connection.transaction().unwrap();
            apply(&transaction, &steps[..done]).unwrap();
            transaction.commit().unwrap();
        }
        assert!(apply(&connection.transaction().unwrap(), &steps[..1]).is_err());
    }
}
