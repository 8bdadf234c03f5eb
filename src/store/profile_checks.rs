//! Followers whose profile is to be asked for soon: a queue that any process may work on.

use sea_orm::DbBackend;

use super::sql::Sql;
use super::{AccountId, Connection, Error, Store};
use crate::model::{OpenId, UnionId};

/// Who was asked for within this time is not asked for again because somebody shares their unionid.
const JUST_NOW_MS: i64 = 3_600_000;

/// A profile to ask for. It is claimed until `due_at`, and by nobody else before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The Official Account.
    pub account: AccountId,
    /// The person in it.
    pub openid: OpenId,
    /// How often it was asked for already.
    pub attempt: i32,
    /// Tells this claim from another's.
    pub due_at: i64,
}

/// Has a profile asked for at `due_at`, as if for the first time.
pub async fn schedule(
    connection: &impl Connection,
    account: AccountId,
    openid: &OpenId,
    due_at: i64,
) -> Result<(), Error> {
    let mut sql = Sql::new(connection);
    sql.push("INSERT INTO profile_check (account_id, openid, due_at, attempt) VALUES ");
    sql.push("(").bind(account).push(", ").bind(openid.as_str()).push(", ").bind(due_at);
    sql.push(", 0)");
    sql.push(match sql.backend() {
        DbBackend::MySql => " ON DUPLICATE KEY UPDATE due_at = VALUES(due_at), attempt = 0",
        _ => {
            " ON CONFLICT (account_id, openid) DO UPDATE SET due_at = excluded.due_at, attempt = 0"
        }
    });
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// The same for who is not to be asked for already. `false` where they are.
pub async fn schedule_unless_waiting(
    connection: &impl Connection,
    account: AccountId,
    openid: &OpenId,
    due_at: i64,
) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    sql.insert_new("profile_check (account_id, openid, due_at, attempt)");
    sql.push(" VALUES (").bind(account).push(", ").bind(openid.as_str());
    sql.push(", ").bind(due_at).push(", 0)").or_nothing();
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

/// Claims up to `limit` checks of the account that were due before `now`, for `hold_ms`.
pub async fn claim_due(
    store: &Store,
    account: AccountId,
    now: i64,
    hold_ms: i64,
    limit: u64,
) -> Result<Vec<Check>, Error> {
    let mut claimed = Vec::new();
    for mut check in list_due(store.reader(), account, now, limit).await? {
        let until = now + hold_ms;
        if postpone(store.writer(), &check, until).await? {
            check.due_at = until;
            claimed.push(check);
        }
    }
    Ok(claimed)
}

async fn list_due(
    connection: &impl Connection,
    account: AccountId,
    now: i64,
    limit: u64,
) -> Result<Vec<Check>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT openid, attempt, due_at FROM profile_check WHERE account_id = ");
    sql.bind(account).push(" AND due_at < ").bind(now);
    sql.push(" ORDER BY due_at LIMIT ").bind(limit.cast_signed());
    let rows = connection.query_all_raw(sql.into_statement()).await?;
    let check = |row: &sea_orm::QueryResult| {
        Ok(Check {
            account,
            openid: super::parsed(row.try_get_by_index(0)?)?,
            attempt: row.try_get_by_index(1)?,
            due_at: row.try_get_by_index(2)?,
        })
    };
    rows.iter().map(check).collect()
}

/// Moves a check to another moment. `false` where it is no longer as it was.
async fn postpone(connection: &impl Connection, check: &Check, due_at: i64) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    sql.push("UPDATE profile_check SET due_at = ").bind(due_at);
    only(&mut sql, check);
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

/// Ends an attempt; another is made at `again_at`, if given. `false` where the check is no longer
/// as it was: the person was erased, or a newer event wants it asked for anew.
pub async fn finish(
    connection: &impl Connection,
    check: &Check,
    again_at: Option<i64>,
) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    match again_at {
        Some(due_at) => {
            sql.push("UPDATE profile_check SET attempt = attempt + 1, due_at = ").bind(due_at);
        }
        None => {
            sql.push("DELETE FROM profile_check");
        }
    }
    only(&mut sql, check);
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

fn only(sql: &mut Sql, check: &Check) {
    sql.push(" WHERE account_id = ").bind(check.account);
    sql.push(" AND openid = ").bind(check.openid.as_str());
    sql.push(" AND due_at = ").bind(check.due_at);
}

/// Has everybody else asked for who is stored with this unionid, unless they were just now.
pub async fn schedule_sharers(
    connection: &impl Connection,
    account: AccountId,
    openid: &OpenId,
    unionid: &UnionId,
    due_at: i64,
) -> Result<(), Error> {
    let mut sql = Sql::new(connection);
    sql.insert_new("profile_check (account_id, openid, due_at, attempt)");
    // PostgreSQL takes a value that stands alone for a text.
    let integer = if sql.backend() == DbBackend::MySql { "SIGNED" } else { "BIGINT" };
    sql.push(" SELECT account_id, openid, CAST(").bind(due_at).push(" AS ").push(integer);
    sql.push("), 0 FROM follower");
    sql.push(" WHERE unionid = ").bind(unionid.as_str()).push(" AND account_id = ").bind(account);
    sql.push(" AND openid <> ").bind(openid.as_str());
    sql.push(" AND profile_at < ").bind(due_at - JUST_NOW_MS);
    sql.or_nothing();
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}
