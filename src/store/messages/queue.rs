//! The queue of messages: what waits, and who has taken it up.
//!
//! A message is due at `due_at`, and nothing is left to do where that is absent. Who takes it up moves
//! `due_at` to the end of the claim; before its first byte leaves it is noted that an answer of WeChat is
//! owed (`sending_at`). A claim is known by its attempt and its end, and who lost it writes nothing any
//! more.

use entity::message::Model;
use sea_orm::{DbBackend, FromQueryResult, QueryResult};

use super::{Message, first_id_at, message};
use crate::model::{MessageId, MessageState, OpenId, Reason, TemplateId};
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error, Transaction, parsed};

/// How an account's queue looks, at one glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// The time.
    pub now: i64,
    /// When its first message is due, or the first claim ends; `None` where nothing waits.
    pub due_at: Option<i64>,
    /// Until when nothing leaves.
    pub held_until: i64,
}

/// How the account's queue looks now.
pub async fn outlook(connection: &impl Connection, account: AccountId) -> Result<Outlook, Error> {
    let mut sql = Sql::new(connection);
    let clock = sql.clock();
    sql.push("SELECT ").push(clock).push(" AS now_at, (SELECT due_at FROM message");
    sql.push(" WHERE account_id = ").bind(account);
    sql.push(" AND due_at > 0 ORDER BY due_at LIMIT 1) AS due_at, ");
    sql.push("(SELECT held_until FROM push_pace WHERE account_id = ").bind(account);
    sql.push(") AS held_until");
    let row = connection.query_one_raw(sql.into_statement()).await?;
    let row = row.ok_or_else(|| Error::unexpected("the queue gave no row"))?;
    Ok(Outlook {
        now: row.try_get_by_index(0)?,
        due_at: row.try_get_by_index(1)?,
        held_until: row.try_get_by_index::<Option<i64>>(2)?.unwrap_or_default(),
    })
}

/// How many messages of the account wait, those taken up included.
pub async fn count_waiting(connection: &impl Connection, account: AccountId) -> Result<u64, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT COUNT(*) FROM message WHERE account_id = ").bind(account);
    sql.push(" AND due_at > 0");
    let row = connection.query_one_raw(sql.into_statement()).await?;
    let count: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(count.unwrap_or_default().cast_unsigned())
}

/// A message that is due, without what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its id.
    pub id: MessageId,
    /// The person.
    pub openid: OpenId,
    /// The template.
    pub template_id: TemplateId,
    /// When it was accepted here.
    pub accepted_at: i64,
    /// Whether WeChat may have it although it did not say so.
    pub in_doubt: bool,
    /// When WeChat may first have got it.
    pub first_sent_at: Option<i64>,
}

/// The `limit` messages of the account that have been due longest.
pub async fn list_due(
    connection: &impl Connection,
    account: AccountId,
    now: i64,
    limit: usize,
) -> Result<Vec<Due>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT id, openid, template_id, accepted_at, first_sent_at, sending_at, state");
    sql.push(" FROM message WHERE account_id = ").bind(account);
    sql.push(" AND due_at > 0 AND due_at <= ").bind(now);
    sql.push(" ORDER BY due_at LIMIT ").bind(limit as i64);
    let rows = connection.query_all_raw(sql.into_statement()).await?;
    rows.iter().map(due).collect()
}

fn due(row: &QueryResult) -> Result<Due, Error> {
    let sending_at: Option<i64> = row.try_get_by_index(5)?;
    let state: String = row.try_get_by_index(6)?;
    Ok(Due {
        id: parsed(row.try_get_by_index(0)?)?,
        openid: parsed(row.try_get_by_index(1)?)?,
        template_id: parsed(row.try_get_by_index(2)?)?,
        accepted_at: row.try_get_by_index(3)?,
        in_doubt: sending_at.is_some() || state == MessageState::Unknown.as_str(),
        first_sent_at: row.try_get_by_index(4)?,
    })
}

/// Locks those of these messages that are still due, without reading what they say: before [`lock_due`],
/// where more are to be changed than are to leave.
///
/// Messages are locked by their ids, as whoever else locks several does.
pub async fn lock_ids(transaction: &Transaction, ids: &[MessageId], now: i64) -> Result<(), Error> {
    let mut sql = Sql::new(transaction);
    if ids.is_empty() || sql.backend() == DbBackend::Sqlite {
        return Ok(());
    }
    sql.push("SELECT id FROM message");
    by_id(&mut sql).push(" WHERE due_at <= ").bind(now);
    among(&mut sql, ids);
    sql.push(" ORDER BY id").for_update();
    transaction.query_all_raw(sql.into_statement()).await?;
    Ok(())
}

/// Those of these messages that are still due, longest first; nobody else gets them until the
/// transaction ends.
pub async fn lock_due(
    transaction: &Transaction,
    ids: &[MessageId],
    now: i64,
) -> Result<Vec<Message>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new(transaction);
    sql.push("SELECT * FROM message");
    by_id(&mut sql).push(" WHERE due_at <= ").bind(now);
    among(&mut sql, ids);
    sql.push(" ORDER BY id").for_update();
    let mut rows = Model::find_by_statement(sql.into_statement()).all(transaction).await?;
    rows.sort_by_key(|row| row.due_at);
    rows.into_iter().map(message).collect()
}

/// A claim on messages: from when until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// When it begins.
    pub now: i64,
    /// When it ends.
    pub until: i64,
    /// Whether WeChat may have the messages from now on; otherwise from [`depart`] on.
    ///
    /// [`depart`]: super::depart
    pub departs: bool,
}

/// Takes these messages up. A message whose last answer never came is in doubt, and says so.
///
/// Only after [`lock_due`], in its transaction.
pub async fn claim(transaction: &Transaction, ids: &[MessageId], term: Term) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let Term { now, until, departs } = term;
    let mut sql = Sql::new(transaction);
    // MySQL sets columns in their order: those that look at another's old value first.
    sql.push("UPDATE message");
    by_id(&mut sql).push(" SET state = CASE WHEN sending_at IS NULL THEN state ELSE ");
    sql.bind(MessageState::Unknown.as_str());
    sql.push(" END, reason = CASE WHEN sending_at IS NULL THEN reason ELSE ");
    sql.bind(Reason::AnswerLost.as_str());
    sql.push(" END, attempt = attempt + 1, due_at = ").bind(until);
    if departs {
        sql.push(", sending_at = ").bind(now);
        sql.push(", first_sent_at = COALESCE(first_sent_at, ").bind(now).push(")");
    }
    sql.push(" WHERE due_at <= ").bind(now);
    among(&mut sql, ids);
    transaction.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// Has those of these messages that never left wait until `until`. Only after [`lock_due`] or
/// [`lock_ids`], in its transaction.
pub async fn put_off(
    transaction: &Transaction,
    ids: &[MessageId],
    until: i64,
    reason: Reason,
) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new(transaction);
    sql.push("UPDATE message");
    by_id(&mut sql).push(" SET due_at = ").bind(until);
    sql.push(", reason = ").bind(reason.as_str()).push(" WHERE due_at > 0");
    still_here(&mut sql);
    among(&mut sql, ids);
    transaction.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// Has MySQL look the rows up one by one. It may otherwise walk through a small table and lock all of it,
/// other accounts' messages too, and two such statements wait for each other.
fn by_id(sql: &mut Sql) -> &mut Sql {
    match sql.backend() {
        DbBackend::MySql => sql.push(" FORCE INDEX (PRIMARY)"),
        _ => sql,
    }
}

fn among(sql: &mut Sql, ids: &[MessageId]) {
    sql.push(" AND id IN ").bind_set(ids.iter().map(MessageId::as_str));
}

/// Gives up those messages of the account that were accepted before `before` and certainly never left: at
/// most `limit` at once, the oldest first. Returns how many.
pub async fn expire(
    connection: &impl Connection,
    account: AccountId,
    before: i64,
    now: i64,
    limit: usize,
) -> Result<u64, Error> {
    let mut sql = Sql::new(connection);
    // Ids rise with time: the messages that wait are looked through in the order of their ids.
    sql.push("SELECT id FROM message WHERE account_id = ").bind(account);
    sql.push(" AND due_at > 0 AND id < ").bind(first_id_at(before));
    still_here(&mut sql);
    sql.push(" ORDER BY id LIMIT ").bind(limit as i64);
    let rows = connection.query_all_raw(sql.into_statement()).await?;
    let ids: Result<Vec<MessageId>, Error> =
        rows.iter().map(|row| parsed(row.try_get_by_index(0)?)).collect();
    give_up(connection, &ids?, now).await
}

/// Gives these messages up, those of them that certainly never left. Returns how many.
pub async fn give_up(
    connection: &impl Connection,
    ids: &[MessageId],
    now: i64,
) -> Result<u64, Error> {
    if ids.is_empty() {
        return Ok(0);
    }
    let mut sql = Sql::new(connection);
    sql.push("UPDATE message");
    by_id(&mut sql).push(" SET due_at = NULL, state = ").bind(MessageState::Failed.as_str());
    sql.push(", reason = ").bind(Reason::Expired.as_str());
    sql.push(", finished_at = ").bind(now).push(" WHERE due_at > 0");
    still_here(&mut sql);
    among(&mut sql, ids);
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected())
}

fn still_here(sql: &mut Sql) {
    sql.push(" AND sending_at IS NULL AND state = ").bind(MessageState::Queued.as_str());
}
