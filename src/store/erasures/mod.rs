//! Who was erased: their rows go, and digests stay, so that a crawl does not bring them back.
//!
//! An erasure covers a person: every account in which the unionid, or else the one openid, is known.
//! All digests of a person carry the same `person`, so that who acts again takes them all back.
//!
//! An erasure locks every account first, and who writes what WeChat told of people shares theirs
//! ([`accounts::share`]): it either sees the digests or is erased after it.

mod digests;

use std::collections::HashSet;

use sea_orm::ConnectionTrait;

use super::sql::Sql;
use super::{AccountId, Connection, Error, Transaction, accounts};
use crate::model::{OpenId, UnionId};

use digests::{Key, Note};

pub use digests::{count, find_erased_at, list_erased};

/// Tables with a row per account and openid of a person that say which unionid they have.
pub const LINKS: [&str; 2] = ["follower", "mini_program_user"];

/// The other tables with rows by account and openid of a person. A test compares both lists with the schema.
pub const BESIDES: [&str; 6] =
    ["quarantine", "profile_check", "unionid_conflict", "message", "receipt", "consent"];

/// Whom to erase.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// The person across accounts.
    Unionid(&'a UnionId),
    /// The person behind an openid of an Official Account or a Mini Program.
    OpenId {
        /// The account's number.
        account: AccountId,
        /// The person in it.
        openid: &'a OpenId,
        /// The person across accounts, where that is said; else what is known counts.
        unionid: Option<&'a UnionId>,
    },
}

/// What an erasure did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// Rows deleted; 0 where nothing was known of the person.
    pub rows: u64,
    /// A digest that stands for the person, for the audit trail.
    pub person: String,
}

/// A person's place: the account, and the openid there.
type Place = (AccountId, String);

/// Forgets a person, and notes by digests that they are not to come back by a crawl. Who is not known
/// is noted all the same. Erasing twice changes nothing.
///
/// To be called before anything of an account is written in the transaction.
pub async fn erase(transaction: &Transaction, subject: Subject<'_>) -> Result<Erased, Error> {
    accounts::lock_all(transaction).await?;
    let (unionid, places) = match subject {
        Subject::Unionid(unionid) => {
            let unionid = unionid.to_string();
            let places = list_places(transaction, &unionid).await?;
            (Some(unionid), places)
        }
        Subject::OpenId { account, openid, unionid } => {
            reach(transaction, (account, openid.to_string()), unionid).await?
        }
    };
    let person = match (&unionid, places.first()) {
        (Some(unionid), _) => Key::of_unionid(unionid).digest,
        (None, Some(place)) => person_of(transaction, place).await?,
        (None, None) => return Err(Error::unexpected("an erasure of nobody")),
    };
    let named = match &unionid {
        Some(unionid) => delete_by_unionid(transaction, unionid).await?,
        None => 0,
    };
    let rows = named + delete(transaction, &places).await?;
    let mut keys: Vec<_> =
        places.iter().map(|(account, id)| Key::of_openid(*account, id)).collect();
    keys.extend(unionid.as_deref().map(Key::of_unionid));
    let notes: Vec<_> = keys.into_iter().map(|key| Note { key, person: person.clone() }).collect();
    digests::record(transaction, &notes).await?;
    Ok(Erased { rows, person })
}

/// The unionid behind a place, and every place of the person: this one at least.
async fn reach(
    transaction: &Transaction,
    place: Place,
    said: Option<&UnionId>,
) -> Result<(Option<String>, Vec<Place>), Error> {
    let unionid = match said {
        Some(unionid) => Some(unionid.to_string()),
        None => find_unionid(transaction, &place).await?,
    };
    let Some(unionid) = unionid else { return Ok((None, vec![place])) };
    let mut places = list_places(transaction, &unionid).await?;
    if !places.contains(&place) {
        places.push(place);
    }
    Ok((Some(unionid), places))
}

async fn find_unionid(
    transaction: &Transaction,
    (account, openid): &Place,
) -> Result<Option<String>, Error> {
    for table in LINKS {
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

/// Every place of a unionid. Reads with a lock: MariaDB and MySQL would otherwise show what stood
/// there when the transaction began.
async fn list_places(transaction: &Transaction, unionid: &str) -> Result<Vec<Place>, Error> {
    let mut places = Vec::new();
    for table in LINKS {
        let mut sql = Sql::new(transaction);
        sql.push("SELECT account_id, openid FROM ").push(table);
        sql.push(" WHERE unionid = ").bind(unionid).for_update();
        for row in transaction.query_all_raw(sql.into_statement()).await? {
            places.push((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
        }
    }
    Ok(places)
}

/// Under what a place without a unionid is noted: as when it was erased before, since the unionid was
/// known then perhaps.
async fn person_of(transaction: &Transaction, (account, openid): &Place) -> Result<String, Error> {
    let key = Key::of_openid(*account, openid);
    let persons = digests::list_persons(transaction, std::slice::from_ref(&key)).await?;
    Ok(persons.into_iter().next().unwrap_or(key.digest))
}

async fn delete(transaction: &Transaction, places: &[Place]) -> Result<u64, Error> {
    if places.is_empty() {
        return Ok(0);
    }
    let mut rows = 0;
    for table in LINKS.into_iter().chain(BESIDES) {
        let mut sql = Sql::new(transaction);
        sql.push("DELETE FROM ").push(table).push(" WHERE ");
        for (index, (account, openid)) in places.iter().enumerate() {
            sql.push(if index == 0 { "" } else { " OR " });
            sql.push("(account_id = ").bind(*account);
            sql.push(" AND openid = ").bind(openid.as_str()).push(")");
        }
        rows += transaction.execute_raw(sql.into_statement()).await?.rows_affected();
    }
    Ok(rows)
}

/// What names the unionid at a place that is not the person's, or is no longer known to be: a unionid
/// that was found to be another's at some time stands in that one's conflict, and a message keeps the
/// one that it was accepted for.
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

/// The person acts again, by a login, a follow, a scan or a message: what was noted of an erasure goes.
/// One statement where there was none.
///
/// To be called after the person's own rows are written, in the same transaction: an erasure takes its
/// locks in that order.
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

/// Who of `people` must not be written, because they were erased and have not acted since. For what
/// WeChat *told* of people; who acts is [`readmit`]ted.
///
/// Whom the erasure knew by unionid alone is noted by openid too, so that the next crawl need not ask,
/// and what stands there of them without a unionid is deleted; unless they have followed since: then
/// they are readmitted. The account is to be shared before ([`accounts::share`]).
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
        let place = (account, openid.to_string());
        if has_followed_since(transaction, &place, *erased_at).await? {
            readmit(transaction, account, openid, Some(unionid)).await?;
            continue;
        }
        delete(transaction, std::slice::from_ref(&place)).await?;
        let person = Key::of_unionid(unionid.as_str()).digest;
        let note = Note { key: Key::of_openid(account, openid.as_str()), person };
        digests::record(transaction, &[note]).await?;
        erased.insert((*openid).clone());
    }
    Ok(erased)
}

/// Whether an event has come since: of an openid that the erasure did not know.
async fn has_followed_since(
    transaction: &Transaction,
    (account, openid): &Place,
    erased_at: i64,
) -> Result<bool, Error> {
    let mut sql = Sql::new(transaction);
    sql.push("SELECT 1 FROM follower WHERE account_id = ").bind(*account);
    sql.push(" AND openid = ").bind(openid.as_str());
    sql.push(" AND subscribed AND event_at > ").bind(erased_at).for_update();
    Ok(transaction.query_one_raw(sql.into_statement()).await?.is_some())
}
