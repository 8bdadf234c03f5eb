//! The queue of messages, and the claims on them.
//!
//! A message is due at `due_at`; if that is null, nothing is left to do. The process that claims a message
//! moves `due_at` to the end of the claim, and sets `sending_at` before it sends the first byte. While
//! `sending_at` is set, WeChat's response is pending. A claim is identified by its attempt and its end, so
//! that a process whose claim expired can no longer write.

use entity::message::Model;
use sea_orm::{DbBackend, FromQueryResult, QueryResult};

use super::{Message, first_id_at, message};
use crate::model::{MessageId, MessageState, OpenId, Reason, TemplateId};
use crate::store::sql::Sql;
use crate::store::{AccountId, Connection, Error, Transaction, parsed};

/// A summary of an account's queue. All times are in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueStatus {
    /// The current database time.
    pub now: i64,
    /// When the first message is due or the first claim ends; `None` if the queue is empty.
    pub due_at: Option<i64>,
    /// Until when the account must not send.
    pub held_until: i64,
}

/// Returns a summary of the account's queue.
pub async fn queue_status(
    connection: &impl Connection,
    account: AccountId,
) -> Result<QueueStatus, Error> {
    let mut sql = Sql::new(connection);
    let clock = sql.clock();
    sql.push("SELECT ").push(clock).push(" AS now_at, (SELECT due_at FROM message");
    sql.push(" WHERE account_id = ").bind(account);
    sql.push(" AND due_at > 0 ORDER BY due_at LIMIT 1) AS due_at, ");
    sql.push("(SELECT held_until FROM push_pace WHERE account_id = ").bind(account);
    sql.push(") AS held_until");
    let row = connection.query_one_raw(sql.into_statement()).await?;
    let row = row.ok_or_else(|| Error::unexpected("the query of the queue returned no row"))?;
    Ok(QueueStatus {
        now: row.try_get_by_index(0)?,
        due_at: row.try_get_by_index(1)?,
        held_until: row.try_get_by_index::<Option<i64>>(2)?.unwrap_or_default(),
    })
}

/// The number of unfinished messages of the account, including claimed ones.
pub async fn count_waiting(connection: &impl Connection, account: AccountId) -> Result<u64, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT COUNT(*) FROM message WHERE account_id = ").bind(account);
    sql.push(" AND due_at > 0");
    let row = connection.query_one_raw(sql.into_statement()).await?;
    let count: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(count.unwrap_or_default().cast_unsigned())
}

/// A message that is due, without its content. All times are in ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The id of the message.
    pub id: MessageId,
    /// The recipient.
    pub openid: OpenId,
    /// The template.
    pub template_id: TemplateId,
    /// When this service accepted the message.
    pub accepted_at: i64,
    /// Whether the outcome of an earlier attempt is unknown: WeChat may have received the message.
    pub outcome_unknown: bool,
    /// When WeChat may first have received the message.
    pub first_sent_at: Option<i64>,
}

/// Returns the `limit` messages of the account that have been due for longest. `now` is in ms.
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
        outcome_unknown: sending_at.is_some() || state == MessageState::Unknown.as_str(),
        first_sent_at: row.try_get_by_index(4)?,
    })
}

/// Locks those of these messages that are still due, without reading their content. To be called before
/// [`lock_due`] if more messages will be changed than sent. `now` is in ms.
///
/// Locks the messages in the order of their ids, as all code that locks several messages does.
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

/// Locks those of these messages that are still due until the transaction ends, and returns them, longest
/// due first. `now` is in ms.
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

/// The terms of a claim on messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimPeriod {
    /// When the claim begins, in ms.
    pub now: i64,
    /// When the claim ends, in ms.
    pub until: i64,
    /// Whether WeChat may receive the messages as soon as they are claimed; otherwise after
    /// [`mark_sending`].
    ///
    /// [`mark_sending`]: super::mark_sending
    pub is_sending: bool,
}

/// Claims these messages. Messages whose last response never arrived become `unknown`, with the reason.
///
/// Requires [`lock_due`] before, in the same transaction.
pub async fn claim(
    transaction: &Transaction,
    ids: &[MessageId],
    term: ClaimPeriod,
) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let ClaimPeriod { now, until, is_sending } = term;
    let mut sql = Sql::new(transaction);
    // MySQL assigns columns in order, so those that depend on another column's old value come first.
    sql.push("UPDATE message");
    by_id(&mut sql).push(" SET state = CASE WHEN sending_at IS NULL THEN state ELSE ");
    sql.bind(MessageState::Unknown.as_str());
    sql.push(" END, reason = CASE WHEN sending_at IS NULL THEN reason ELSE ");
    sql.bind(Reason::AnswerLost.as_str());
    sql.push(" END, attempt = attempt + 1, due_at = ").bind(until);
    if is_sending {
        sql.push(", sending_at = ").bind(now);
        sql.push(", first_sent_at = COALESCE(first_sent_at, ").bind(now).push(")");
    }
    sql.push(" WHERE due_at <= ").bind(now);
    among(&mut sql, ids);
    transaction.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// Postpones those of these messages that were never sent until `until` (ms). Requires [`lock_due`] or
/// [`lock_ids`] before, in the same transaction.
pub async fn postpone(
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
    never_sent(&mut sql);
    among(&mut sql, ids);
    transaction.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// Postpones the user's due messages that were never sent until `until` (ms). `now` is in ms.
pub async fn postpone_user(
    transaction: &Transaction,
    account: AccountId,
    openid: &OpenId,
    (now, until): (i64, i64),
    reason: Reason,
) -> Result<(), Error> {
    let mut sql = Sql::new(transaction);
    sql.push("UPDATE message SET due_at = ").bind(until);
    sql.push(", reason = ").bind(reason.as_str());
    sql.push(" WHERE account_id = ").bind(account).push(" AND openid = ").bind(openid.as_str());
    // A claimed message is due again only when its claim ends.
    sql.push(" AND due_at > 0 AND due_at <= ").bind(now);
    never_sent(&mut sql);
    transaction.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// Forces MySQL to look up the rows by their ids. Otherwise it may scan a small table and lock all of it,
/// including messages of other accounts, so that two such statements deadlock.
fn by_id(sql: &mut Sql) -> &mut Sql {
    match sql.backend() {
        DbBackend::MySql => sql.push(" FORCE INDEX (PRIMARY)"),
        _ => sql,
    }
}

fn among(sql: &mut Sql, ids: &[MessageId]) {
    sql.push(" AND id IN ").bind_set(ids.iter().map(MessageId::as_str));
}

/// Fails those messages of the account as expired that were accepted before `before` and certainly never
/// sent: at most `limit`, oldest first. Returns their number. Times are in ms.
pub async fn expire(
    connection: &impl Connection,
    account: AccountId,
    before: i64,
    now: i64,
    limit: usize,
) -> Result<u64, Error> {
    let mut sql = Sql::new(connection);
    // Ids increase with time, so the index of waiting messages is scanned in the order of ids.
    sql.push("SELECT id FROM message WHERE account_id = ").bind(account);
    sql.push(" AND due_at > 0 AND id < ").bind(first_id_at(before));
    never_sent(&mut sql);
    sql.push(" ORDER BY id LIMIT ").bind(limit as i64);
    let rows = connection.query_all_raw(sql.into_statement()).await?;
    let ids: Result<Vec<MessageId>, Error> =
        rows.iter().map(|row| parsed(row.try_get_by_index(0)?)).collect();
    expire_ids(connection, &ids?, now).await
}

/// Fails those of these messages as expired that were certainly never sent. Returns their number. `now` is
/// in ms.
pub async fn expire_ids(
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
    never_sent(&mut sql);
    among(&mut sql, ids);
    Ok(connection.execute_raw(sql.into_statement()).await?.rows_affected())
}

fn never_sent(sql: &mut Sql) {
    sql.push(" AND sending_at IS NULL AND state = ").bind(MessageState::Queued.as_str());
}
