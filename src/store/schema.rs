//! Migrates the database schema, and reports which migrations have been applied.

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbBackend};

use super::connect::MAX_LOCK_WAIT_SECONDS;
use super::sql::Sql;
use super::{Error, Store};

/// A migration and whether it has been applied.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    /// The name of the migration.
    pub name: String,
    /// Whether it has been applied to this database.
    pub applied: bool,
}

/// Key of the advisory lock for migrations on PostgreSQL. An arbitrary number that must never change.
const ADVISORY_LOCK: i64 = 0x75_6e69_6f6e_6964;

/// How long a replica waits for another replica's migration on MariaDB and MySQL.
const LOCK_WAIT_SECONDS: u32 = 600;

/// Applies the pending migrations and returns their number. Concurrent replicas wait for each other: the
/// first one migrates, the others find nothing to do.
pub async fn migrate_up(store: &Store) -> Result<usize, Error> {
    // At most starts nothing is pending, so that no lock is needed.
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

/// Reverts the latest `steps` migrations and deletes the data in their tables.
pub async fn migrate_down(store: &Store, steps: u32) -> Result<(), Error> {
    let transaction = store.begin().await?;
    let unlimited = transaction.unlimited();
    lock(unlimited).await?;
    Migrator::down(unlimited, Some(steps)).await?;
    unlock(unlimited).await?;
    transaction.commit().await
}

/// Returns all migrations, oldest first.
pub async fn status(store: &Store) -> Result<Vec<Step>, Error> {
    let pending = pending_names(store).await?;
    let step = |name: String| Step { applied: !pending.contains(&name), name };
    Ok(Migrator::migrations().iter().map(|migration| step(migration.name().to_owned())).collect())
}

/// The number of migrations that are not yet applied.
pub async fn pending(store: &Store) -> Result<usize, Error> {
    Ok(pending_names(store).await?.len())
}

async fn pending_names(store: &Store) -> Result<Vec<String>, Error> {
    let pending = Migrator::get_pending_migrations_read_only(store.writer()).await?;
    Ok(pending.iter().map(|migration| migration.name().to_owned()).collect())
}

/// Blocks migrations of other replicas. On SQLite the immediate transaction already does.
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
            // 0 after a timeout, NULL after an error.
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

/// Releases the lock on MariaDB and MySQL, where it outlives the transaction. On PostgreSQL it does not.
async fn unlock(connection: &impl ConnectionTrait) -> Result<(), Error> {
    if connection.get_database_backend() == DbBackend::MySql {
        connection.execute_unprepared("DO RELEASE_LOCK('unionid_bridge.schema')").await?;
        wait_for_tables(connection, MAX_LOCK_WAIT_SECONDS).await?;
    }
    Ok(())
}

/// Sets how long the connection waits for tables in use by others. Migrations wait longer than callers.
async fn wait_for_tables(connection: &impl ConnectionTrait, seconds: u32) -> Result<(), Error> {
    let wait = format!("SET SESSION lock_wait_timeout = {seconds}");
    connection.execute_unprepared(&wait).await?;
    Ok(())
}
