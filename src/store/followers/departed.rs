//! Finds and deletes followers who unfollowed long ago, in small batches.

use sea_orm::QueryResult;

use crate::model::OpenId;
use crate::store::erasures::DEPENDENT_TABLES;
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error, Transaction, parsed};

/// A follower who unfollowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departed {
    /// The row id.
    pub id: u64,
    /// The user's openid in the account.
    pub openid: OpenId,
}

/// Returns followers who unfollowed before `before_at` (ms) and have not returned: at most `limit`, by
/// ascending row id above `after_id`.
pub async fn list_departed(
    connection: &impl Connection,
    account: AccountId,
    before_at: i64,
    after_id: u64,
    limit: u64,
) -> Result<Vec<Departed>, Error> {
    let mut sql = Sql::new(connection);
    // In the order of the row ids, which avoids sorting all rows of the account.
    sql.push("SELECT id, openid FROM follower WHERE ").skip_index();
    sql.push("account_id = ").bind(account);
    sql.push(" AND NOT subscribed AND unfollowed_at < ").bind(before_at);
    sql.push(" AND id > ").bind(after_id.cast_signed());
    sql.push(" ORDER BY id LIMIT ").bind(limit.cast_signed());
    let departed = |row: &QueryResult| {
        let id: i64 = row.try_get_by_index(0)?;
        Ok(Departed { id: id.cast_unsigned(), openid: parsed(row.try_get_by_index(1)?)? })
    };
    connection.query_all_raw(sql.into_statement()).await?.iter().map(departed).collect()
}

/// Deletes followers and their rows in other tables, except for those who followed again. Returns the
/// number of deleted followers. `before_at` is in ms.
pub async fn delete_departed(
    transaction: &Transaction,
    account: AccountId,
    departed: &[Departed],
    before_at: i64,
) -> Result<u64, Error> {
    let mut deleted = 0;
    for chunk in departed.chunks(Sql::bind_limit(transaction) - 2) {
        let mut sql = Sql::new(transaction);
        sql.push("DELETE FROM follower WHERE account_id = ").bind(account);
        sql.push(" AND NOT subscribed AND unfollowed_at < ").bind(before_at);
        sql.push(" AND id IN ").bind_list(chunk.iter().map(|follower| follower.id.cast_signed()));
        deleted += transaction.execute_raw(sql.into_statement()).await?.rows_affected();
        for table in DEPENDENT_TABLES {
            delete_dependent(transaction, table, account, chunk).await?;
        }
    }
    Ok(deleted)
}

async fn delete_dependent(
    transaction: &Transaction,
    table: &str,
    account: AccountId,
    departed: &[Departed],
) -> Result<(), Error> {
    let mut sql = Sql::new(transaction);
    sql.push("DELETE FROM ").push(table).push(" WHERE account_id = ").bind(account);
    sql.push(" AND openid IN ");
    sql.bind_list(departed.iter().map(|follower| follower.openid.as_str()));
    sql.push(" AND NOT EXISTS (SELECT 1 FROM follower WHERE follower.account_id = ");
    sql.push(table).push(".account_id AND follower.openid = ").push(table).push(".openid)");
    transaction.execute_raw(sql.into_statement()).await?;
    Ok(())
}
