//! A queue of followers whose profiles are to be fetched from WeChat. Any process may claim entries.

use sea_orm::DbBackend;

use super::sql::Sql;
use super::{AccountId, Connection, Error, Store};
use crate::model::{OpenId, UnionId};

/// A follower whose profile was fetched within this time is not fetched again because of a shared unionid.
const RECENT_PROFILE_MS: i64 = 3_600_000;

/// A profile to fetch, claimed by this process until `due_at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The Official Account.
    pub account: AccountId,
    /// The user's openid in the account.
    pub openid: OpenId,
    /// The number of earlier attempts.
    pub attempt: i32,
    /// When the claim ends, in ms. Distinguishes this claim from others.
    pub due_at: i64,
}

/// Schedules a profile check at `due_at` (ms) and resets its attempts.
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

/// Schedules a profile check at `due_at` (ms). Returns `false` if the follower already has one, which does
/// not change.
pub async fn schedule_unless_waiting(
    connection: &impl Connection,
    account: AccountId,
    openid: &OpenId,
    due_at: i64,
) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    sql.insert_new("profile_check (account_id, openid, due_at, attempt)");
    sql.push(" VALUES (").bind(account).push(", ").bind(openid.as_str());
    sql.push(", ").bind(due_at).push(", 0)").or_ignore();
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

/// Claims up to `limit` checks of the account that were due before `now` (ms), for `hold_ms`.
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

/// Moves a check to `due_at` (ms). Returns `false` if the check changed meanwhile.
async fn postpone(connection: &impl Connection, check: &Check, due_at: i64) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    sql.push("UPDATE profile_check SET due_at = ").bind(due_at);
    if_unchanged(&mut sql, check);
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

/// Ends an attempt and schedules another one at `retry_at` (ms), if given. Returns `false` if the check
/// changed meanwhile: the user was erased, or a newer event rescheduled the check.
pub async fn finish(
    connection: &impl Connection,
    check: &Check,
    retry_at: Option<i64>,
) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    match retry_at {
        Some(due_at) => {
            sql.push("UPDATE profile_check SET attempt = attempt + 1, due_at = ").bind(due_at);
        }
        None => {
            sql.push("DELETE FROM profile_check");
        }
    }
    if_unchanged(&mut sql, check);
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

fn if_unchanged(sql: &mut Sql, check: &Check) {
    sql.push(" WHERE account_id = ").bind(check.account);
    sql.push(" AND openid = ").bind(check.openid.as_str());
    sql.push(" AND due_at = ").bind(check.due_at);
}

/// Schedules checks at `due_at` (ms) for all other followers of the account with this unionid whose profile
/// was not fetched within the last hour.
pub async fn schedule_sharers(
    connection: &impl Connection,
    account: AccountId,
    openid: &OpenId,
    unionid: &UnionId,
    due_at: i64,
) -> Result<(), Error> {
    let mut sql = Sql::new(connection);
    sql.insert_new("profile_check (account_id, openid, due_at, attempt)");
    // PostgreSQL treats an untyped parameter in a SELECT list as text.
    let integer = if sql.backend() == DbBackend::MySql { "SIGNED" } else { "BIGINT" };
    sql.push(" SELECT account_id, openid, CAST(").bind(due_at).push(" AS ").push(integer);
    sql.push("), 0 FROM follower");
    sql.push(" WHERE unionid = ").bind(unionid.as_str()).push(" AND account_id = ").bind(account);
    sql.push(" AND openid <> ").bind(openid.as_str());
    sql.push(" AND profile_at < ").bind(due_at - RECENT_PROFILE_MS);
    sql.or_ignore();
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}
