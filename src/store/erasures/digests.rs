//! The digests of who was erased: made, noted, looked up and taken back.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use sea_orm::{DbBackend, QueryResult};
use sha2::{Digest, Sha256};

use crate::model::{OpenId, UnionId};
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error};

/// Stands for the account where the digest is a unionid's.
const ACROSS_ACCOUNTS: AccountId = 0;

/// As many as the tightest bind limit allows, with four values each.
const NOTES_PER_STATEMENT: usize = 5_000;

const DIGESTS_PER_STATEMENT: usize = 10_000;

/// What an erasure is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    account: AccountId,
    pub(super) digest: String,
}

impl Key {
    pub(super) fn of_openid(account: AccountId, openid: &str) -> Self {
        Self { account, digest: digest(account, openid) }
    }

    pub(super) fn of_unionid(unionid: &str) -> Self {
        Self { account: ACROSS_ACCOUNTS, digest: digest(ACROSS_ACCOUNTS, unionid) }
    }
}

/// WeChat's identifiers are random and long: none can be guessed from its digest.
fn digest(account: AccountId, id: &str) -> String {
    let text = format!("unionid-bridge/erasure/1/{account}/{id}");
    hex::encode(Sha256::digest(text))
}

/// A key, and the person behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) key: Key,
    pub(super) person: String,
}

/// Notes erasures; one that is noted already takes the new person and date.
pub(super) async fn record(connection: &impl Connection, notes: &[Note]) -> Result<(), Error> {
    if notes.is_empty() {
        return Ok(());
    }
    let erased_at = crate::store::now(connection).await?;
    for chunk in notes.chunks(NOTES_PER_STATEMENT) {
        let mut sql = Sql::new(connection);
        sql.push("INSERT INTO erasure (account_id, subject, person, erased_at) VALUES ");
        for (index, Note { key, person }) in chunk.iter().enumerate() {
            sql.push(if index == 0 { "(" } else { ", (" }).bind(key.account).push(", ");
            sql.bind(key.digest.as_str()).push(", ").bind(person.as_str()).push(", ");
            sql.bind(erased_at).push(")");
        }
        let repeated = on_repetition(sql.backend());
        sql.push(repeated);
        connection.execute_raw(sql.into_statement()).await?;
    }
    Ok(())
}

fn on_repetition(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::MySql => {
            " ON DUPLICATE KEY UPDATE person = VALUES(person), erased_at = VALUES(erased_at)"
        }
        _ => {
            " ON CONFLICT (account_id, subject) DO UPDATE \
             SET person = excluded.person, erased_at = excluded.erased_at"
        }
    }
}

/// Who is noted under any of a few keys.
pub(super) async fn list_persons(
    connection: &impl Connection,
    keys: &[Key],
) -> Result<HashSet<String>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT person FROM erasure WHERE ");
    for (index, key) in keys.iter().enumerate() {
        sql.push(if index == 0 { "(account_id = " } else { " OR (account_id = " });
        sql.bind(key.account).push(" AND subject = ").bind(key.digest.as_str()).push(")");
    }
    texts(&connection.query_all_raw(sql.into_statement()).await?)
}

/// Takes all that is noted of persons back.
pub(super) async fn delete(
    connection: &impl Connection,
    persons: &HashSet<String>,
) -> Result<(), Error> {
    if persons.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new(connection);
    sql.push("DELETE FROM erasure WHERE person IN ");
    sql.bind_list(persons.iter().map(String::as_str));
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// Whether an erasure can concern the account at all. There is none as a rule, and then nothing has to
/// be digested.
pub(super) async fn any(connection: &impl Connection, account: AccountId) -> Result<bool, Error> {
    any_of(connection, &[account, ACROSS_ACCOUNTS]).await
}

async fn any_of(connection: &impl Connection, accounts: &[AccountId]) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT 1 FROM erasure WHERE account_id IN ").bind_list(accounts.iter().copied());
    sql.push(" LIMIT 1");
    Ok(connection.query_one_raw(sql.into_statement()).await?.is_some())
}

/// When the openid of the account was erased, if it has not acted since.
pub async fn find_erased_at(
    connection: &impl Connection,
    account: AccountId,
    openid: &OpenId,
) -> Result<Option<i64>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT erased_at FROM erasure WHERE account_id = ").bind(account);
    sql.push(" AND subject = ").bind(digest(account, openid.as_str()));
    let row = connection.query_one_raw(sql.into_statement()).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
}

/// Which of `openids` of the account were erased and have not acted since.
pub async fn list_erased(
    connection: &impl Connection,
    account: AccountId,
    openids: &[&OpenId],
) -> Result<HashSet<OpenId>, Error> {
    if openids.is_empty() || !any_of(connection, &[account]).await? {
        return Ok(HashSet::new());
    }
    let by_digest = openids.iter().map(|openid| (digest(account, openid.as_str()), *openid));
    Ok(noted(connection, account, by_digest.collect()).await?.into_keys().collect())
}

/// Which of `unionids` were erased and have not acted since, and when.
pub(super) async fn list_erased_at(
    connection: &impl Connection,
    unionids: &[&UnionId],
) -> Result<HashMap<UnionId, i64>, Error> {
    if unionids.is_empty() || !any_of(connection, &[ACROSS_ACCOUNTS]).await? {
        return Ok(HashMap::new());
    }
    let by_digest = unionids.iter().map(|id| (digest(ACROSS_ACCOUNTS, id.as_str()), *id));
    noted(connection, ACROSS_ACCOUNTS, by_digest.collect()).await
}

async fn noted<T: Clone + Eq + Hash>(
    connection: &impl Connection,
    account: AccountId,
    by_digest: HashMap<String, &T>,
) -> Result<HashMap<T, i64>, Error> {
    let digests: Vec<_> = by_digest.keys().map(String::as_str).collect();
    let mut found = HashMap::new();
    for chunk in digests.chunks(DIGESTS_PER_STATEMENT) {
        let mut sql = Sql::new(connection);
        sql.push("SELECT subject, erased_at FROM erasure WHERE account_id = ").bind(account);
        sql.push(" AND subject IN ").bind_list(chunk.iter().copied());
        for row in connection.query_all_raw(sql.into_statement()).await? {
            let subject: String = row.try_get_by_index(0)?;
            let erased_at = row.try_get_by_index(1)?;
            found.extend(by_digest.get(&subject).map(|id| ((*id).clone(), erased_at)));
        }
    }
    Ok(found)
}

/// How many openids of the account were erased and have not acted since.
pub async fn count(connection: &impl Connection, account: AccountId) -> Result<u64, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT COUNT(*) FROM erasure WHERE account_id = ").bind(account);
    let row = connection.query_one_raw(sql.into_statement()).await?;
    let count: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(count.unwrap_or(0).cast_unsigned())
}

fn texts(rows: &[QueryResult]) -> Result<HashSet<String>, Error> {
    Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?)
}
