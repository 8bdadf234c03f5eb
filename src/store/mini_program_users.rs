//! Mini Program users: one row per Mini Program and user, written at each login.

use std::collections::HashMap;

use entity::mini_program_user::{Column, Entity};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect};

use super::quarantine::{self, Conflict};
use super::sql::Sql;
use super::{AccountId, Connection, Error, Transaction, accounts, parsed};
use crate::model::{OpenId, UnionId};

const IDS_PER_STATEMENT: usize = 1_000;

/// The run id of a conflict that a login found.
const NO_RUN: i64 = 0;

/// A login that WeChat confirmed.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    /// The user's openid in the Mini Program.
    pub openid: &'a OpenId,
    /// The unionid that WeChat returned for the login. Replaces a known unionid.
    pub unionid: Option<&'a UnionId>,
    /// The unionid in the client's encrypted data. Used only if no unionid is known and WeChat returned none.
    pub unionid_of_client: Option<&'a UnionId>,
    /// The sealed session key, if it is to be stored.
    pub session_key: Option<&'a str>,
}

/// The user's record after a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Whether this was the user's first login.
    pub is_new: bool,
    /// The user's unionid, if known.
    pub unionid: Option<UnionId>,
}

/// A user who has logged in before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user's unionid, if known.
    pub unionid: Option<UnionId>,
}

/// Finds a user who has logged in before.
pub async fn find(
    connection: &impl Connection,
    account: AccountId,
    openid: &OpenId,
) -> Result<Option<User>, Error> {
    let mut sql = Sql::new(connection);
    push_user(&mut sql, account, openid);
    user(connection, sql).await
}

/// Returns the openids of these users in one Mini Program. Omits users who never logged in to it.
pub async fn list_by_unionids(
    connection: &impl Connection,
    account: AccountId,
    unionids: &[&UnionId],
) -> Result<HashMap<UnionId, OpenId>, Error> {
    let mut found = HashMap::with_capacity(unionids.len());
    for chunk in unionids.chunks(IDS_PER_STATEMENT) {
        let mut sql = Sql::new(connection);
        sql.push("SELECT unionid, openid FROM mini_program_user WHERE account_id = ").bind(account);
        sql.push(" AND unionid IN ").bind_set(chunk.iter().map(|unionid| unionid.as_str()));
        sql.push(" ORDER BY login_at");
        for row in connection.query_all_raw(sql.into_statement()).await? {
            found.insert(parsed(row.try_get_by_index(0)?)?, parsed(row.try_get_by_index(1)?)?);
        }
    }
    Ok(found)
}

/// Records a login. `found` is the result of [`find`] before the transaction began. A known unionid is never
/// removed; a unionid that WeChat changed is recorded as a conflict.
///
/// If the user's unionid does not change, this only updates one row. Otherwise it also blocks erasures until
/// the transaction ends, because an erasure by unionid would miss a row that is not yet committed.
pub async fn record_login(
    transaction: &Transaction,
    account: AccountId,
    login: Login<'_>,
    found: Option<User>,
) -> Result<Recorded, Error> {
    let received = login.unionid.or(login.unionid_of_client);
    if let Some(User { unionid }) = found
        && (received.is_none() || unionid.as_ref() == received)
        && update(transaction, account, &login, received).await?
    {
        return Ok(Recorded { is_new: false, unionid });
    }
    accounts::share(transaction, account).await?;
    if insert(transaction, account, &login).await? {
        return Ok(Recorded { is_new: true, unionid: received.cloned() });
    }
    let stored = find_for_update(transaction, account, login.openid).await?;
    let stored = stored.and_then(|user| user.unionid);
    if let (Some(old), Some(new)) = (&stored, login.unionid)
        && old != new
    {
        let conflict =
            Conflict { openid: login.openid.clone(), old: old.clone(), new: new.clone() };
        let now = super::now(transaction).await?;
        quarantine::record_conflicts(transaction, account, NO_RUN, &[conflict], now).await?;
    }
    let unionid = login.unionid.or(stored.as_ref()).or(received).cloned();
    update(transaction, account, &login, unionid.as_ref()).await?;
    Ok(Recorded { is_new: false, unionid })
}

async fn find_for_update(
    transaction: &Transaction,
    account: AccountId,
    openid: &OpenId,
) -> Result<Option<User>, Error> {
    let mut sql = Sql::new(transaction);
    push_user(&mut sql, account, openid);
    sql.for_update();
    user(transaction, sql).await
}

fn push_user(sql: &mut Sql, account: AccountId, openid: &OpenId) {
    sql.push("SELECT unionid FROM mini_program_user WHERE account_id = ").bind(account);
    sql.push(" AND openid = ").bind(openid.as_str());
}

async fn user(connection: &impl Connection, sql: Sql) -> Result<Option<User>, Error> {
    let Some(row) = connection.query_one_raw(sql.into_statement()).await? else { return Ok(None) };
    let unionid: Option<String> = row.try_get_by_index(0)?;
    Ok(Some(User { unionid: unionid.map(parsed).transpose()? }))
}

/// Returns `false` if the user already exists.
async fn insert(
    transaction: &Transaction,
    account: AccountId,
    login: &Login<'_>,
) -> Result<bool, Error> {
    let unionid = login.unionid.or(login.unionid_of_client);
    let mut sql = Sql::new(transaction);
    let clock = sql.clock();
    sql.push("INSERT INTO mini_program_user ");
    sql.push("(account_id, openid, unionid, session_key, created_at, login_at) VALUES (");
    sql.bind(account).push(", ").bind(login.openid.as_str());
    sql.push(", ").bind(unionid.map(UnionId::as_str)).push(", ").bind(login.session_key);
    sql.push(", ").push(clock).push(", ").push(clock).push(")");
    sql.push(match sql.backend() {
        // Takes the write lock on an existing row immediately. INSERT IGNORE would take a read lock, and
        // concurrent logins that each hold one would deadlock. MySQL counts a changed row as two.
        DbBackend::MySql => " ON DUPLICATE KEY UPDATE login_at = login_at + 1",
        _ => " ON CONFLICT DO NOTHING",
    });
    Ok(transaction.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

/// Returns `false` if the user does not exist.
async fn update(
    transaction: &Transaction,
    account: AccountId,
    login: &Login<'_>,
    unionid: Option<&UnionId>,
) -> Result<bool, Error> {
    let mut sql = Sql::new(transaction);
    let clock = sql.clock();
    sql.push("UPDATE mini_program_user SET unionid = COALESCE(");
    sql.bind(unionid.map(UnionId::as_str)).push(", unionid)");
    // A login invalidates the session key of an earlier one.
    sql.push(", session_key = ").bind(login.session_key);
    sql.push(", login_at = ").push(clock);
    sql.push(" WHERE account_id = ").bind(account);
    sql.push(" AND openid = ").bind(login.openid.as_str());
    Ok(transaction.execute_raw(sql.into_statement()).await?.rows_affected() == 1)
}

/// The sealed session key of the user's latest login, if it was stored.
pub async fn find_session_key(
    connection: &impl Connection,
    account: AccountId,
    openid: &OpenId,
) -> Result<Option<String>, Error> {
    let found = Entity::find()
        .select_only()
        .column(Column::SessionKey)
        .filter(Column::AccountId.eq(account))
        .filter(Column::Openid.eq(openid.as_str()))
        .into_tuple::<Option<String>>()
        .one(connection)
        .await?;
    Ok(found.flatten())
}
