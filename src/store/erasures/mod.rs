//! Erasure of users: deletes their rows and keeps digests, so that a crawl does not store them again.
//!
//! An erasure covers a user in every account in which the unionid is known, or only the given openid if no
//! unionid is known. All digests of a user have the same `person`, so that they are deleted together when
//! the user acts again.
//!
//! An erasure locks all accounts first. Code that writes user data from WeChat takes a shared lock on its
//! account ([`accounts::share`]). So that code either sees the digests, or the erasure deletes what it wrote.

mod digests;

use std::collections::HashSet;

use sea_orm::ConnectionTrait;

use super::sql::Sql;
use super::{AccountId, Connection, Error, Transaction, accounts};
use crate::model::{OpenId, UnionId};

use digests::{ErasureRecord, Key};

pub use digests::{count, find_erased_at, list_erased};

/// Tables with one row per account and openid that contain the user's unionid.
pub const IDENTITY_TABLES: [&str; 2] = ["follower", "mini_program_user"];

/// The other tables with rows by account and openid. A test compares both lists with the schema.
pub const DEPENDENT_TABLES: [&str; 6] =
    ["quarantine", "profile_check", "unionid_conflict", "message", "receipt", "consent"];

/// The user to erase.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// The user with this unionid.
    Unionid(&'a UnionId),
    /// The user with this openid of an Official Account or a Mini Program.
    OpenId {
        /// The number of the account.
        account: AccountId,
        /// The user's openid in the account.
        openid: &'a OpenId,
        /// The user's unionid, if the caller knows it. `None` looks up the stored one.
        unionid: Option<&'a UnionId>,
    },
}

/// The result of an erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The number of deleted rows; 0 if the user was not known.
    pub rows: u64,
    /// A digest that identifies the user in the audit trail.
    pub person: String,
}

/// An account, and the user's openid in it.
type Identity = (AccountId, String);

/// Erases a user, and records digests so that a crawl does not store the user again. Also records the
/// digests of a user who is not known. Erasing twice changes nothing.
///
/// Must be called before the transaction writes any data of an account.
pub async fn erase(transaction: &Transaction, subject: Subject<'_>) -> Result<Erased, Error> {
    accounts::lock_all(transaction).await?;
    let (unionid, identities) = match subject {
        Subject::Unionid(unionid) => {
            let unionid = unionid.to_string();
            let identities = list_identities(transaction, &unionid).await?;
            (Some(unionid), identities)
        }
        Subject::OpenId { account, openid, unionid } => {
            find_user(transaction, (account, openid.to_string()), unionid).await?
        }
    };
    let person = match (&unionid, identities.first()) {
        (Some(unionid), _) => Key::of_unionid(unionid).digest,
        (None, Some(identity)) => person_of(transaction, identity).await?,
        (None, None) => return Err(Error::unexpected("an erasure without a unionid or openid")),
    };
    let rows_by_unionid = match &unionid {
        Some(unionid) => delete_by_unionid(transaction, unionid).await?,
        None => 0,
    };
    let rows = rows_by_unionid + delete(transaction, &identities).await?;
    let mut keys: Vec<_> =
        identities.iter().map(|(account, id)| Key::of_openid(*account, id)).collect();
    keys.extend(unionid.as_deref().map(Key::of_unionid));
    let record = |key| ErasureRecord { key, person: person.clone() };
    let records: Vec<_> = keys.into_iter().map(record).collect();
    digests::record(transaction, &records).await?;
    Ok(Erased { rows, person })
}

/// Returns the unionid of a user and all identities of the user, including the given one. `known_unionid`
/// takes precedence over the stored unionid.
async fn find_user(
    transaction: &Transaction,
    identity: Identity,
    known_unionid: Option<&UnionId>,
) -> Result<(Option<String>, Vec<Identity>), Error> {
    let unionid = match known_unionid {
        Some(unionid) => Some(unionid.to_string()),
        None => find_unionid(transaction, &identity).await?,
    };
    let Some(unionid) = unionid else { return Ok((None, vec![identity])) };
    let mut identities = list_identities(transaction, &unionid).await?;
    if !identities.contains(&identity) {
        identities.push(identity);
    }
    Ok((Some(unionid), identities))
}

async fn find_unionid(
    transaction: &Transaction,
    (account, openid): &Identity,
) -> Result<Option<String>, Error> {
    for table in IDENTITY_TABLES {
        let mut sql = Sql::new(transaction);
        sql.push("SELECT unionid FROM ").push(table).push(" WHERE account_id = ").bind(*account);
        sql.push(" AND openid = ").bind(openid.as_str()).for_update();
        let row = transaction.query_one_raw(sql.into_statement()).await?;
        let unionid = row.map(|row| row.try_get_by_index::<Option<String>>(0)).transpose()?;
        if let Some(unionid) = unionid.flatten() {
            return Ok(Some(unionid));
        }
    }
    Ok(None)
}

/// Returns all identities with a unionid. Reads with a lock, because MariaDB and MySQL otherwise return the
/// data from the start of the transaction.
async fn list_identities(transaction: &Transaction, unionid: &str) -> Result<Vec<Identity>, Error> {
    let mut identities = Vec::new();
    for table in IDENTITY_TABLES {
        let mut sql = Sql::new(transaction);
        sql.push("SELECT account_id, openid FROM ").push(table);
        sql.push(" WHERE unionid = ").bind(unionid).for_update();
        for row in transaction.query_all_raw(sql.into_statement()).await? {
            identities.push((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
        }
    }
    Ok(identities)
}

/// Returns the `person` digest of an identity without a unionid. Reuses the digest of an earlier erasure,
/// since the unionid may have been known then.
async fn person_of(
    transaction: &Transaction,
    (account, openid): &Identity,
) -> Result<String, Error> {
    let key = Key::of_openid(*account, openid);
    let persons = digests::list_persons(transaction, std::slice::from_ref(&key)).await?;
    Ok(persons.into_iter().next().unwrap_or(key.digest))
}

async fn delete(transaction: &Transaction, identities: &[Identity]) -> Result<u64, Error> {
    if identities.is_empty() {
        return Ok(0);
    }
    let mut rows = 0;
    for table in IDENTITY_TABLES.into_iter().chain(DEPENDENT_TABLES) {
        let mut sql = Sql::new(transaction);
        sql.push("DELETE FROM ").push(table).push(" WHERE ");
        for (index, (account, openid)) in identities.iter().enumerate() {
            sql.push(if index == 0 { "" } else { " OR " });
            sql.push("(account_id = ").bind(*account);
            sql.push(" AND openid = ").bind(openid.as_str()).push(")");
        }
        rows += transaction.execute_raw(sql.into_statement()).await?.rows_affected();
    }
    Ok(rows)
}

/// Deletes rows that contain the unionid but belong to another openid, or to one that is no longer known as
/// the user's: a conflict of another user contains a unionid that was once stored for that user, and a
/// message keeps the unionid for which it was accepted.
async fn delete_by_unionid(transaction: &Transaction, unionid: &str) -> Result<u64, Error> {
    let mut sql = Sql::new(transaction);
    sql.push("DELETE FROM unionid_conflict WHERE old_unionid = ").bind(unionid);
    sql.push(" OR new_unionid = ").bind(unionid);
    let conflicts = transaction.execute_raw(sql.into_statement()).await?.rows_affected();
    let mut sql = Sql::new(transaction);
    sql.push("DELETE FROM message WHERE unionid = ").bind(unionid);
    let messages = transaction.execute_raw(sql.into_statement()).await?.rows_affected();
    Ok(conflicts + messages)
}

/// Deletes the erasure records of a user who acts again by a login, a follow, a scan or a message. Takes one
/// statement if there are none.
///
/// Must be called after the user's own rows are written, in the same transaction, because an erasure takes
/// its locks in that order.
pub async fn readmit(
    connection: &impl Connection,
    account: AccountId,
    openid: &OpenId,
    unionid: Option<&UnionId>,
) -> Result<(), Error> {
    let mut keys = vec![Key::of_openid(account, openid.as_str())];
    keys.extend(unionid.map(|unionid| Key::of_unionid(unionid.as_str())));
    let persons = digests::list_persons(connection, &keys).await?;
    digests::delete(connection, &persons).await
}

/// Returns those of `people` that must not be written, because they were erased and have not acted since.
/// For user data that WeChat *returns*; users who act are [`readmit`]ted instead.
///
/// If an erasure covered a user only by unionid, this also records the openid, so that the next crawl need
/// not fetch the profile, and deletes the rows of that openid. But if the user has followed since the
/// erasure, it readmits the user. The caller must hold the shared lock on the account
/// ([`accounts::share`]).
pub async fn withhold(
    transaction: &Transaction,
    account: AccountId,
    people: &[(&OpenId, Option<&UnionId>)],
) -> Result<HashSet<OpenId>, Error> {
    if people.is_empty() || !digests::any(transaction, account).await? {
        return Ok(HashSet::new());
    }
    let openids: Vec<_> = people.iter().map(|(openid, _)| *openid).collect();
    let mut erased = list_erased(transaction, account, &openids).await?;
    let unionids: Vec<_> = people.iter().filter_map(|(_, unionid)| *unionid).collect();
    let persons = digests::list_erased_at(transaction, &unionids).await?;
    for (openid, unionid) in people {
        let Some((unionid, erased_at)) = unionid.and_then(|id| persons.get_key_value(id)) else {
            continue;
        };
        if erased.contains(*openid) {
            continue;
        }
        let identity = (account, openid.to_string());
        if has_followed_since(transaction, &identity, *erased_at).await? {
            readmit(transaction, account, openid, Some(unionid)).await?;
            continue;
        }
        delete(transaction, std::slice::from_ref(&identity)).await?;
        let person = Key::of_unionid(unionid.as_str()).digest;
        let record = ErasureRecord { key: Key::of_openid(account, openid.as_str()), person };
        digests::record(transaction, &[record]).await?;
        erased.insert((*openid).clone());
    }
    Ok(erased)
}

/// Whether a follow event arrived since the erasure (ms), for an openid that the erasure did not cover.
async fn has_followed_since(
    transaction: &Transaction,
    (account, openid): &Identity,
    erased_at: i64,
) -> Result<bool, Error> {
    let mut sql = Sql::new(transaction);
    sql.push("SELECT 1 FROM follower WHERE account_id = ").bind(*account);
    sql.push(" AND openid = ").bind(openid.as_str());
    sql.push(" AND subscribed AND event_at > ").bind(erased_at).for_update();
    Ok(transaction.query_one_raw(sql.into_statement()).await?.is_some())
}
