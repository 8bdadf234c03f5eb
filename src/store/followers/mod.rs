//! Followers: batch lookups and writes, and detection of those who unfollowed.

mod departed;
mod event;
mod index;
mod list;
mod status;
mod upsert;

use sea_orm::QueryResult;

use super::sql::Sql;
use super::{AccountId, Connection, Error, Transaction, parsed};
use crate::model::{Follower, OpenId, UnionId};

pub use departed::{Departed, delete_departed, list_departed};
pub use event::{FollowEvent, Recorded, record_event};
pub use index::{defer_unionid_index, ensure_unionid_index};
pub use list::{Filter, FollowerDetails, list_page};
pub use status::{FollowerStatus, list_expected_ids, list_statuses};
pub use upsert::{Row, upsert};

/// Returns those of `openids` that are stored as present or past followers of the account, in no
/// particular order.
pub async fn list_by_openids(
    connection: &impl Connection,
    account: AccountId,
    openids: &[OpenId],
) -> Result<Vec<Follower>, Error> {
    let mut found = Vec::with_capacity(openids.len());
    for chunk in openids.chunks(Sql::bind_limit(connection) - 1) {
        let mut sql = Sql::new(connection);
        sql.reserve(200 + 8 * chunk.len(), 1 + chunk.len());
        sql.push(SELECT).push(" WHERE account_id = ").bind(account).push(" AND openid IN ");
        sql.bind_list(chunk.iter().map(OpenId::as_str));
        for row in connection.query_all_raw(sql.into_statement()).await? {
            found.push(follower(&row)?);
        }
    }
    Ok(found)
}

const SELECT: &str =
    "SELECT id, openid, unionid, subscribed, digest, unionid_absent_at FROM follower";

fn follower(row: &QueryResult) -> Result<Follower, Error> {
    let absent: Option<i64> = row.try_get_by_index(5)?;
    Ok(Follower {
        id: row.try_get_by_index::<i64>(0)?.cast_unsigned(),
        openid: parsed(row.try_get_by_index::<String>(1)?)?,
        unionid: row.try_get_by_index::<Option<String>>(2)?.map(parsed).transpose()?,
        subscribed: row.try_get_by_index(3)?,
        digest: row.try_get_by_index(4)?,
        unionid_absent: absent.is_some(),
    })
}

/// Whether any row of the account was created before `at` (ms).
pub async fn exists_before(
    connection: &impl Connection,
    account: AccountId,
    at: i64,
) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT 1 FROM follower WHERE account_id = ").bind(account);
    sql.push(" AND created_at < ").bind(at).push(" LIMIT 1");
    Ok(connection.query_one_raw(sql.into_statement()).await?.is_some())
}

/// Returns the `limit` current followers with a unionid that have the lowest row ids from `from_id` on.
pub async fn list_known_from(
    connection: &impl Connection,
    account: AccountId,
    from_id: u64,
    limit: u64,
) -> Result<Vec<Follower>, Error> {
    let mut sql = Sql::new(connection);
    // In the order of the row ids, which avoids sorting all rows of the account.
    sql.push(SELECT).push(" WHERE ").skip_index().push("account_id = ").bind(account);
    sql.push(" AND subscribed AND unionid IS NOT NULL AND id >= ").bind(from_id.cast_signed());
    sql.push(" ORDER BY id LIMIT ").bind(limit.cast_signed());
    connection.query_all_raw(sql.into_statement()).await?.iter().map(follower).collect()
}

/// Returns at most `limit` openids of current followers without a unionid.
pub async fn list_without_unionid(
    connection: &impl Connection,
    account: AccountId,
    limit: u64,
) -> Result<Vec<OpenId>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT openid FROM follower WHERE account_id = ").bind(account);
    sql.push(" AND subscribed AND unionid IS NULL LIMIT ").bind(limit.cast_signed());
    let rows = connection.query_all_raw(sql.into_statement()).await?;
    rows.iter().map(|row| parsed(row.try_get_by_index(0)?)).collect()
}

/// Returns the openids of the account's rows with these ids.
pub async fn list_openids(
    connection: &impl Connection,
    account: AccountId,
    ids: &[u64],
) -> Result<Vec<(u64, OpenId)>, Error> {
    let mut openids = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(Sql::bind_limit(connection) - 1) {
        let mut sql = Sql::new(connection);
        sql.push("SELECT id, openid FROM follower WHERE account_id = ").bind(account);
        sql.push(" AND id IN ").bind_list(chunk.iter().map(|id| id.cast_signed()));
        for row in connection.query_all_raw(sql.into_statement()).await? {
            let id: i64 = row.try_get_by_index(0)?;
            openids.push((id.cast_unsigned(), parsed(row.try_get_by_index(1)?)?));
        }
    }
    Ok(openids)
}

/// The lowest and the highest row id of the account; `None` if it has no rows.
pub async fn find_id_range(
    connection: &impl Connection,
    account: AccountId,
) -> Result<Option<(u64, u64)>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT MIN(id), MAX(id) FROM follower WHERE account_id = ").bind(account);
    let Some(row) = connection.query_one_raw(sql.into_statement()).await? else { return Ok(None) };
    let (lowest, highest): (Option<i64>, Option<i64>) =
        (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    Ok(lowest.zip(highest).map(|(low, high)| (low.cast_unsigned(), high.cast_unsigned())))
}

/// The numbers of followers that were marked as unfollowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marked {
    /// All marked followers.
    pub all: u64,
    /// Marked followers without a unionid.
    pub without_unionid: u64,
}

/// Marks followers as unfollowed, except for those with an event since `crawl_at`. Both times are in ms.
/// The account must be locked, because this counts the followers before it marks them.
pub async fn mark_unfollowed(
    transaction: &Transaction,
    account: AccountId,
    ids: &[u64],
    crawl_at: i64,
    unfollowed_at: i64,
) -> Result<Marked, Error> {
    let mut marked = Marked::default();
    for chunk in ids.chunks(Sql::bind_limit(transaction) - 4) {
        let of_chunk = |sql: &mut Sql| {
            sql.push(" WHERE account_id = ").bind(account).push(" AND subscribed");
            sql.push(" AND event_at < ").bind(crawl_at).push(" AND id IN ");
            sql.bind_list(chunk.iter().map(|id| id.cast_signed()));
        };
        let mut without = Sql::new(transaction);
        without.push("SELECT COUNT(*) FROM follower");
        of_chunk(&mut without);
        without.push(" AND unionid IS NULL");
        marked.without_unionid += counted(transaction, without).await?;
        let mut mark = Sql::new(transaction);
        mark.push("UPDATE follower SET subscribed = ").bind(false);
        mark.push(", unfollowed_at = ").bind(unfollowed_at);
        of_chunk(&mut mark);
        marked.all += transaction.execute_raw(mark.into_statement()).await?.rows_affected();
    }
    Ok(marked)
}

/// Removes the unionids of followers that were found to have another user's unionid.
pub async fn clear_unionids(
    connection: &impl Connection,
    account: AccountId,
    openids: &[OpenId],
) -> Result<(), Error> {
    for chunk in openids.chunks(Sql::bind_limit(connection) - 1) {
        let mut sql = Sql::new(connection);
        sql.push("UPDATE follower SET unionid = NULL WHERE account_id = ").bind(account);
        sql.push(" AND openid IN ").bind_list(chunk.iter().map(OpenId::as_str));
        connection.execute_raw(sql.into_statement()).await?;
    }
    Ok(())
}

/// The number of current followers of the account.
pub async fn count_subscribed(
    connection: &impl Connection,
    account: AccountId,
) -> Result<u64, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT COUNT(*) FROM follower WHERE subscribed AND account_id = ").bind(account);
    counted(connection, sql).await
}

/// The number of current followers of the account without a unionid.
pub async fn count_without_unionid(
    connection: &impl Connection,
    account: AccountId,
) -> Result<u64, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT COUNT(*) FROM follower WHERE unionid IS NULL AND account_id = ");
    sql.bind(account).push(" AND subscribed");
    counted(connection, sql).await
}

async fn counted(connection: &impl Connection, sql: Sql) -> Result<u64, Error> {
    let row = connection.query_one_raw(sql.into_statement()).await?;
    let count: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(count.unwrap_or(0).cast_unsigned())
}

/// Returns the present and past followers of the account that have one of `unionids`.
pub async fn list_holders(
    connection: &impl Connection,
    account: AccountId,
    unionids: &[UnionId],
) -> Result<Vec<(UnionId, OpenId)>, Error> {
    let mut holders = Vec::new();
    for chunk in unionids.chunks(Sql::bind_limit(connection) - 1) {
        let mut sql = Sql::new(connection);
        sql.push("SELECT unionid, openid FROM follower WHERE account_id = ").bind(account);
        sql.push(" AND unionid IN ").bind_list(chunk.iter().map(UnionId::as_str));
        for row in connection.query_all_raw(sql.into_statement()).await? {
            holders.push((parsed(row.try_get_by_index(0)?)?, parsed(row.try_get_by_index(1)?)?));
        }
    }
    Ok(holders)
}

/// Returns the openids of the account that share their unionid with another openid of the account. A user
/// has only one openid in an account, so at most one of them is right.
pub async fn list_sharing_a_unionid(
    connection: &impl Connection,
    account: AccountId,
) -> Result<Vec<OpenId>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT openid FROM follower WHERE account_id = ").bind(account);
    // The grouping has the order of the index by unionid, so that SQLite scans that index. By the index on
    // accounts this would take three times as long.
    sql.push(" AND unionid IN (SELECT unionid FROM follower WHERE unionid IS NOT NULL");
    sql.push(" AND ").skip_index().push("account_id = ").bind(account);
    sql.push(" GROUP BY unionid, account_id HAVING COUNT(*) > 1)");
    let rows = connection.query_all_raw(sql.into_statement()).await?;
    rows.iter().map(|row| parsed(row.try_get_by_index(0)?)).collect()
}
