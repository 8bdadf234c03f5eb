//! The index by unionid, and doing without it during the first load.
//!
//! Unionids come in random order, so keeping their index up to date row by row touches a page of it
//! for each: on SQLite the first load is nearly twice as fast when the index is made at its end.
//! The servers gain nothing by it and keep theirs.

use sea_orm::DbBackend;

use crate::store::{Connection, Error, Store};

/// As the migration made it.
const CREATE: &str = "CREATE INDEX IF NOT EXISTS follower_unionid_account \
                      ON follower (unionid, account_id)";

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
    Ok(transaction.commit().await?)
}

/// Makes the index if it was dropped.
pub async fn ensure_unionid_index(store: &Store) -> Result<(), Error> {
    if store.writer().get_database_backend() == DbBackend::Sqlite {
        store.writer().execute_unprepared(CREATE).await?;
    }
    Ok(())
}
