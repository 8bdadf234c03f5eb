//! Receipts whose message is not known yet to have their number.
//!
//! The number comes with the answer to a send. Where that answer is being committed at the same time,
//! neither transaction sees the other: so a receipt is kept whoever is first, whoever commits a number
//! looks for its receipt ([`take`]), and what passes by both is found by [`list_joinable`]. Where the
//! answer was lost, nothing but the person and the hour lead to the message ([`list_lost`]).

use std::collections::HashMap;

use sea_orm::QueryResult;

use super::{OPEN, Receipt, end, ending};
use crate::model::{MessageId, MessageState};
use crate::store::sql::{self, Sql};
use crate::store::{AccountId, Connection, Error, parsed};

/// How long before its receipt a message may have been sent whose number was never learnt.
const SENT_BEFORE_MS: i64 = 3_600_000;

/// A receipt that was kept, and its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The account.
    pub account: AccountId,
    /// WeChat's number for the message.
    pub msgid: i64,
    /// What it says.
    pub status: String,
    /// When it came.
    pub received_at: i64,
    /// The message's id.
    pub message: MessageId,
}

/// A message whose answer was lost, and the number that it seems to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The message's id.
    pub message: MessageId,
    /// WeChat's number.
    pub msgid: i64,
}

/// Keeps receipts that came at `at`; one that is kept already stays as it is.
pub async fn keep(
    connection: &impl Connection,
    receipts: &[Receipt],
    at: i64,
) -> Result<(), Error> {
    for chunk in receipts.chunks(super::VALUES_PER_STATEMENT) {
        let mut sql = Sql::new(connection);
        sql.insert_new("receipt (account_id, msgid, openid, status, received_at) VALUES ");
        for (index, receipt) in chunk.iter().enumerate() {
            sql.push(if index == 0 { "(" } else { ", (" }).bind(receipt.account);
            sql.push(", ").bind(receipt.msgid).push(", ").bind(receipt.openid.as_str());
            sql.push(", ").bind(receipt.status.as_str()).push(", ").bind(at).push(")");
        }
        sql.or_nothing();
        connection.execute_raw(sql.into_statement()).await?;
    }
    Ok(())
}

/// Ends a message by the receipt that came before WeChat's answer to the send was known here. Returns
/// the state that it is in now; `None` where no receipt was kept, or the message was final already.
///
/// For whoever sends, in the transaction that notes the number, after the message's own row is
/// written: an erasure locks messages before receipts. A receipt that is being kept at the same moment
/// is not seen; the inbox joins it to its message soon afterwards.
pub async fn take(
    connection: &impl Connection,
    account: AccountId,
    msgid: i64,
    message: &MessageId,
) -> Result<Option<MessageState>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT status, received_at FROM receipt WHERE account_id = ").bind(account);
    sql.push(" AND msgid = ").bind(msgid);
    let Some(row) = connection.query_one_raw(sql.into_statement()).await? else { return Ok(None) };
    let (status, at): (String, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    let ended = end(connection, std::slice::from_ref(message), &status, at).await?;
    delete(connection, account, &[msgid]).await?;
    Ok((ended == 1).then(|| ending(&status)))
}

/// Receipts kept since `since` whose message is known by now, up to `limit` of them.
pub async fn list_joinable(
    connection: &impl Connection,
    since: i64,
    limit: u64,
) -> Result<Vec<Matched>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT receipt.account_id, receipt.msgid, status, received_at, message.id");
    sql.push(" FROM receipt JOIN message ON message.account_id = receipt.account_id");
    sql.push(" AND message.msgid = receipt.msgid WHERE received_at >= ").bind(since);
    sql.push(" LIMIT ").bind(limit.cast_signed());
    let kept = |row: &QueryResult| {
        Ok(Matched {
            account: row.try_get_by_index(0)?,
            msgid: row.try_get_by_index(1)?,
            status: row.try_get_by_index(2)?,
            received_at: row.try_get_by_index(3)?,
            message: parsed(row.try_get_by_index(4)?)?,
        })
    };
    connection.query_all_raw(sql.into_statement()).await?.iter().map(kept).collect()
}

/// Messages whose answer was lost, each with the one receipt kept since `since` that can be its own:
/// it is for the same person, came within the hour after the send, and no other message of theirs that
/// has no number may have been sent in that hour.
pub async fn list_lost(connection: &impl Connection, since: i64) -> Result<Vec<Lost>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT MIN(message.id), receipt.msgid FROM receipt JOIN message");
    sql.push(" ON message.account_id = receipt.account_id AND message.openid = receipt.openid");
    sql.push(" WHERE received_at >= ").bind(since).push(" AND message.msgid IS NULL");
    sql.push(" AND state IN ").bind_list(OPEN.map(MessageState::as_str));
    sql.push(" AND first_sent_at <= received_at AND first_sent_at >= received_at - ");
    sql.bind(SENT_BEFORE_MS);
    sql.push(" AND NOT EXISTS (SELECT 1 FROM message numbered");
    sql.push(" WHERE numbered.account_id = receipt.account_id");
    sql.push(" AND numbered.msgid = receipt.msgid)");
    sql.push(" GROUP BY receipt.account_id, receipt.msgid HAVING COUNT(*) = 1");
    // One that is about to be sent again will know more; another system may have written to them too.
    sql.push(" AND MIN(state) <> ").bind(MessageState::Queued.as_str());
    sql.push(" AND MAX(CASE WHEN message.due_at IS NULL THEN 0 ELSE 1 END) = 0");
    let mut by_message: HashMap<String, Vec<i64>> = HashMap::new();
    for row in connection.query_all_raw(sql.into_statement()).await? {
        by_message.entry(row.try_get_by_index(0)?).or_default().push(row.try_get_by_index(1)?);
    }
    let only = |(id, msgids): (String, Vec<i64>)| match msgids.as_slice() {
        [msgid] => Some(parsed(id).map(|message| Lost { message, msgid: *msgid })),
        _ => None,
    };
    by_message.into_iter().filter_map(only).collect()
}

/// Notes the number of a message whose answer was lost or came late, unless it is known or final by now.
pub async fn number(connection: &impl Connection, lost: &Lost) -> Result<(), Error> {
    let mut sql = Sql::new(connection);
    sql.push("UPDATE message SET msgid = ").bind(lost.msgid);
    sql.push(" WHERE id = ").bind(lost.message.as_str()).push(" AND msgid IS NULL AND state IN ");
    sql.bind_list([MessageState::Sent, MessageState::Unknown].map(MessageState::as_str));
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// Deletes kept receipts of an account, by their numbers.
pub async fn delete(
    connection: &impl Connection,
    account: AccountId,
    msgids: &[i64],
) -> Result<(), Error> {
    for chunk in msgids.chunks(super::VALUES_PER_STATEMENT) {
        let mut sql = Sql::new(connection);
        sql.push("DELETE FROM receipt WHERE account_id = ").bind(account);
        sql.push(" AND msgid IN ").bind_set(chunk.iter().copied());
        connection.execute_raw(sql.into_statement()).await?;
    }
    Ok(())
}

/// Forgets receipts that came before `at`, up to `limit` of them. Returns how many.
pub async fn forget_before(
    connection: &impl Connection,
    at: i64,
    limit: u64,
) -> Result<u64, Error> {
    sql::delete_below(connection, "receipt", "account_id, msgid", "received_at", at, limit).await
}
