//! Making a registry, or recognising one.

use rusqlite::{Transaction, params};

use super::failure::Work;
use super::{guard, migrate};
use crate::{Location, Timestamp};

const TABLES: &str = include_str!("schema.sql");

/// Makes MLflow's tables in an empty database, refuses a foreign or unknown one, and brings our own tables up to date.
pub(super) fn ensure(transaction: &Transaction<'_>, artifacts: &Location) -> Work<()> {
    if guard::is_empty(transaction)? {
        create(transaction, artifacts)?;
    } else if !guard::is_mlflow(transaction)? {
        return Err(guard::refuse("it holds tables of something else than mlflow: use another file").into());
    }
    guard::check(transaction)?;
    migrate::run(transaction)
}

/// MLflow expects the experiment 0 to be there.
fn create(transaction: &Transaction<'_>, artifacts: &Location) -> Work<()> {
    transaction.execute_batch(TABLES)?;
    transaction.execute("INSERT INTO alembic_version (version_num) VALUES (?1)", [guard::BASELINE])?;
    let now = Timestamp::now().as_millis();
    transaction.execute(
        "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time)
         VALUES (0, 'Default', ?1, 'active', ?2, ?2)",
        params![format!("{artifacts}/0"), now],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::{ErrorKind, embedded::failure::Failure};

    fn ensured(connection: &mut Connection) -> Work<()> {
        let transaction = connection.transaction()?;
        ensure(&transaction, &"file:///data".parse().unwrap())?;
        Ok(transaction.commit()?)
    }

    #[test]
    fn all_nineteen_tables_and_their_revision_are_there() {
        let mut connection = Connection::open_in_memory().unwrap();
        ensured(&mut connection).unwrap();
        ensured(&mut connection).unwrap();
        let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!(
            count(
                "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'mt!_%' ESCAPE '!'"
            ),
            19
        );
        assert_eq!(count("SELECT count(*) FROM sqlite_master WHERE type IN ('trigger', 'view')"), 0);
        assert_eq!(count("SELECT count(*) FROM alembic_version WHERE version_num = '5b0e9adcef9c'"), 1);
        assert_eq!(count("SELECT count(*) FROM experiments WHERE experiment_id = 0 AND name = 'Default'"), 1);
    }

    #[test]
    fn foreign_and_unknown_schemas_are_refused_untouched() {
        let check = |sql: &str, hint: &str| {
            let mut connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(sql).unwrap();
            let Failure::Told(error) = ensured(&mut connection).unwrap_err() else { panic!("not told") };
            assert_eq!(error.kind(), ErrorKind::SchemaUnsupported);
            assert!(error.to_string().contains(hint), "{error}");
            let ours = "SELECT count(*) FROM sqlite_master WHERE name LIKE 'mt%'";
            assert_eq!(connection.query_row(ours, [], |row| row.get::<_, u32>(0)).unwrap(), 0);
        };
        check("CREATE TABLE guests (name)", "something else");
        check(
            "CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('ffff')",
            "mlflow db upgrade",
        );
        check("CREATE TABLE alembic_version (version_num)", "no revision");
    }
}
