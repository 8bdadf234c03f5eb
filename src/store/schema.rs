//! The schema: bringing it up to date, and saying where it stands.

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbBackend};

use super::connect::LONGEST_LOCK_WAIT_SECONDS;
use super::sql::Sql;
use super::{Error, Store};

/// A migration and whether it has run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Whether this database has it.
    pub applied: bool,
}

/// The number under which replicas queue for the schema on PostgreSQL: any, but always the same.
const ADVISORY_LOCK: i64 = 0x75_6e69_6f6e_6964;

/// How long a replica waits for another's migration on MariaDB/MySQL, in seconds.
const LOCK_WAIT_SECONDS: u32 = 600;

/// Applies what is missing and says how many steps that was. Replicas that do it at once queue:
/// the first works, the others find nothing left to do.
pub async fn migrate_up(store: &Store) -> Result<usize, Error> {
    // Most starts find nothing to do and need not queue.
    if pending(store).await? == 0 {
        return Ok(0);
    }
    let transaction = store.begin().await?;
    let unlimited = transaction.unlimited();
    lock(unlimited).await?;
    let before = Migrator::get_pending_migrations(unlimited).await?.len();
    Migrator::up(unlimited, None).await?;
    unlock(unlimited).await?;
    transaction.commit().await?;
    Ok(before)
}

/// Takes back the latest `steps` migrations, and their data with them.
pub async fn migrate_down(store: &Store, steps: u32) -> Result<(), Error> {
    let transaction = store.begin().await?;
    let unlimited = transaction.unlimited();
    lock(unlimited).await?;
    Migrator::down(unlimited, Some(steps)).await?;
    unlock(unlimited).await?;
    transaction.commit().await
}

/// Every migration, oldest first.
pub async fn status(store: &Store) -> Result<Vec<Step>, Error> {
    let pending = pending_names(store).await?;
    let step = |name: String| Step { applied: !pending.contains(&name), name };
    Ok(Migrator::migrations().iter().map(|migration| step(migration.name().to_owned())).collect())
}

/// How many migrations this database lacks.
pub async fn pending(store: &Store) -> Result<usize, Error> {
    Ok(pending_names(store).await?.len())
}

async fn pending_names(store: &Store) -> Result<Vec<String>, Error> {
    let pending = Migrator::get_pending_migrations_read_only(store.writer()).await?;
    Ok(pending.iter().map(|migration| migration.name().to_owned()).collect())
}

/// Holds other replicas off. SQLite's immediate transaction does so by itself.
async fn lock(connection: &impl ConnectionTrait) -> Result<(), Error> {
    match connection.get_database_backend() {
        DbBackend::Postgres => {
            let lock = format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})");
            connection.execute_unprepared(&lock).await?;
        }
        DbBackend::MySql => {
            let mut sql = Sql::new(connection);
            sql.push("SELECT GET_LOCK('unionid_bridge.schema', ")
                .push(&LOCK_WAIT_SECONDS.to_string())
                .push(") AS locked");
            let row = connection.query_one_raw(sql.into_statement()).await?;
            // 0 after the wait, NULL where it was cut short.
            let locked = row.map(|row| row.try_get::<Option<i32>>("", "locked")).transpose()?;
            if locked.flatten() != Some(1) {
                return Err(Error::Migrating { waited_seconds: LOCK_WAIT_SECONDS });
            }
            wait_for_tables(connection, LOCK_WAIT_SECONDS).await?;
        }
        _ => {}
    }
    Ok(())
}

/// PostgreSQL's lock ends with the transaction, MariaDB's and MySQL's with the connection.
async fn unlock(connection: &impl ConnectionTrait) -> Result<(), Error> {
    if connection.get_database_backend() == DbBackend::MySql {
        connection.execute_unprepared("DO RELEASE_LOCK('unionid_bridge.schema')").await?;
        wait_for_tables(connection, LONGEST_LOCK_WAIT_SECONDS).await?;
    }
    Ok(())
}

/// How long the connection waits for a table that others use: a migration longer than callers do.
async fn wait_for_tables(connection: &impl ConnectionTrait, seconds: u32) -> Result<(), Error> {
    let wait = format!("SET SESSION lock_wait_timeout = {seconds}");
    connection.execute_unprepared(&wait).await?;
    Ok(())
}
