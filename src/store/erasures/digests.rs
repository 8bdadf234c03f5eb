//! Digests of erased users: computes, records, looks up and deletes them.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use sea_orm::{DbBackend, QueryResult};
use sha2::{Digest, Sha256};

use crate::model::{OpenId, UnionId};
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error};

/// The account number in a record whose digest is of a unionid.
const ACROSS_ACCOUNTS: AccountId = 0;

/// Within the lowest bind limit of all databases, with four values for each record.
const RECORDS_PER_STATEMENT: usize = 5_000;

const DIGESTS_PER_STATEMENT: usize = 10_000;

/// The key of an erasure record.
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

/// Returns the digest of an identifier. WeChat's identifiers are long and random, so that a digest does not
/// reveal its identifier.
fn digest(account: AccountId, id: &str) -> String {
    let text = format!("unionid-bridge/erasure/1/{account}/{id}");
    hex::encode(Sha256::digest(text))
}

/// The key of an erasure record, and the digest of the erased user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ErasureRecord {
    pub(super) key: Key,
    pub(super) person: String,
}

/// Records erasures. An existing record with the same key gets the new person and date.
pub(super) async fn record(
    connection: &impl Connection,
    records: &[ErasureRecord],
) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    let erased_at = crate::store::now(connection).await?;
    for chunk in records.chunks(RECORDS_PER_STATEMENT) {
        let mut sql = Sql::new(connection);
        sql.push("INSERT INTO erasure (account_id, subject, person, erased_at) VALUES ");
        for (index, ErasureRecord { key, person }) in chunk.iter().enumerate() {
            sql.push(if index == 0 { "(" } else { ", (" }).bind(key.account).push(", ");
            sql.bind(key.digest.as_str()).push(", ").bind(person.as_str()).push(", ");
            sql.bind(erased_at).push(")");
        }
        let conflict = on_conflict(sql.backend());
        sql.push(conflict);
        connection.execute_raw(sql.into_statement()).await?;
    }
    Ok(())
}

fn on_conflict(backend: DbBackend) -> &'static str {
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

/// Returns the `person` digests in the records with these keys. For few keys only.
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

/// Deletes all erasure records of these persons.
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

/// Whether any erasure record can concern the account. Usually there is none, so that no digests have to be
/// computed.
pub(super) async fn any(connection: &impl Connection, account: AccountId) -> Result<bool, Error> {
    any_of(connection, &[account, ACROSS_ACCOUNTS]).await
}

async fn any_of(connection: &impl Connection, accounts: &[AccountId]) -> Result<bool, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT 1 FROM erasure WHERE account_id IN ").bind_list(accounts.iter().copied());
    sql.push(" LIMIT 1");
    Ok(connection.query_one_raw(sql.into_statement()).await?.is_some())
}

/// When the openid of the account was erased, in ms; `None` if it was not, or if the user acted since.
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

/// Returns those of `openids` of the account that were erased and have not acted since.
pub async fn list_erased(
    connection: &impl Connection,
    account: AccountId,
    openids: &[&OpenId],
) -> Result<HashSet<OpenId>, Error> {
    if openids.is_empty() || !any_of(connection, &[account]).await? {
        return Ok(HashSet::new());
    }
    let by_digest = openids.iter().map(|openid| (digest(account, openid.as_str()), *openid));
    Ok(find_erasures(connection, account, by_digest.collect()).await?.into_keys().collect())
}

/// Returns those of `unionids` that were erased and have not acted since, with the time of the erasure in ms.
pub(super) async fn list_erased_at(
    connection: &impl Connection,
    unionids: &[&UnionId],
) -> Result<HashMap<UnionId, i64>, Error> {
    if unionids.is_empty() || !any_of(connection, &[ACROSS_ACCOUNTS]).await? {
        return Ok(HashMap::new());
    }
    let by_digest = unionids.iter().map(|id| (digest(ACROSS_ACCOUNTS, id.as_str()), *id));
    find_erasures(connection, ACROSS_ACCOUNTS, by_digest.collect()).await
}

async fn find_erasures<T: Clone + Eq + Hash>(
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

/// The number of openids of the account that were erased and have not acted since.
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
