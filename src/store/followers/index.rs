//! Defers the index on unionids during the first load.
//!
//! Unionids arrive in random order, so an update of their index touches a different page for each row: on
//! SQLite the first load is nearly twice as fast if the index is created at its end. The servers gain
//! nothing from this and keep the index.

use sea_orm::DbBackend;

use crate::store::connect::WRITER_CACHE_KIB;
use crate::store::{Connection, Error, Store};

/// The same index as in the migration.
const CREATE: &str = "CREATE INDEX IF NOT EXISTS follower_unionid_account \
                      ON follower (unionid, account_id)";

/// Size of the page cache while the index is created. The sort uses the same amount again.
const SORTING_CACHE_KIB: u32 = 16 * 1024;

/// Drops the index if the database is SQLite and contains no followers.
pub async fn defer_unionid_index(store: &Store) -> Result<(), Error> {
    if store.writer().get_database_backend() != DbBackend::Sqlite {
        return Ok(());
    }
    let transaction = store.begin().await?;
    let rows = transaction
        .query_all_raw(sea_orm::Statement::from_string(
            DbBackend::Sqlite,
            "SELECT 1 FROM follower LIMIT 1",
        ))
        .await?;
    if rows.is_empty() {
        transaction.execute_unprepared("DROP INDEX IF EXISTS follower_unionid_account").await?;
    }
    transaction.commit().await
}

/// Creates the index if it was dropped.
///
/// SQLite sorts in as much memory as the page cache may use, in addition to the cache. So this empties the
/// cache first and keeps it small meanwhile.
pub async fn ensure_unionid_index(store: &Store) -> Result<(), Error> {
    let writer = store.writer();
    if writer.get_database_backend() != DbBackend::Sqlite || has_unionid_index(store).await? {
        return Ok(());
    }
    writer.execute_unprepared("PRAGMA shrink_memory").await?;
    writer.execute_unprepared(&format!("PRAGMA cache_size = -{SORTING_CACHE_KIB}")).await?;
    let created = writer.execute_unprepared(CREATE).await;
    writer.execute_unprepared(&format!("PRAGMA cache_size = -{WRITER_CACHE_KIB}")).await?;
    created?;
    Ok(())
}

async fn has_unionid_index(store: &Store) -> Result<bool, Error> {
    let rows = store
        .reader()
        .query_all_raw(sea_orm::Statement::from_string(
            DbBackend::Sqlite,
            "SELECT 1 FROM sqlite_master WHERE name = 'follower_unionid_account'",
        ))
        .await?;
    Ok(!rows.is_empty())
}
