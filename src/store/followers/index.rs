//! The index by unionid, and doing without it during the first load.
//!
//! Unionids come in random order, so keeping their index up to date row by row touches a page of it
//! for each: on SQLite the first load is nearly twice as fast when the index is made at its end.
//! The servers gain nothing by it and keep theirs.

use sea_orm::DbBackend;

use crate::store::connect::WRITER_CACHE_KIB;
use crate::store::{Connection, Error, Store};

/// As the migration made it.
const CREATE: &str = "CREATE INDEX IF NOT EXISTS follower_unionid_account \
                      ON follower (unionid, account_id)";

/// What the cache may take while the index is made, and the sorting again.
const SORTING_CACHE_KIB: u32 = 16 * 1024;

/// Drops the index if the database is SQLite and holds no follower at all.
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

/// Makes the index if it was dropped.
///
/// SQLite sorts in as much memory as its page cache may take, beside the cache: so the cache is
/// emptied and kept small meanwhile.
pub async fn ensure_unionid_index(store: &Store) -> Result<(), Error> {
    let writer = store.writer();
    if writer.get_database_backend() != DbBackend::Sqlite || has_unionid_index(store).await? {
        return Ok(());
    }
    writer.execute_unprepared("PRAGMA shrink_memory").await?;
    writer.execute_unprepared(&format!("PRAGMA cache_size = -{SORTING_CACHE_KIB}")).await?;
    let made = writer.execute_unprepared(CREATE).await;
    writer.execute_unprepared(&format!("PRAGMA cache_size = -{WRITER_CACHE_KIB}")).await?;
    made?;
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
