//! Receipts that are not yet matched to a message.
//!
//! WeChat's response to a send contains the msgid of the message. If the response is committed at the same
//! time as the receipt, neither transaction sees the other. So such a receipt is always stored, the
//! transaction that records a msgid looks for its receipt ([`take_matching`]), and [`list_matched`] finds the
//! pairs that both missed. If the response was lost, only the recipient and the time of the send identify
//! the message ([`list_lost_answers`]).

use std::collections::HashMap;

use sea_orm::QueryResult;

use super::{OPEN, Receipt, end, ending};
use crate::model::{MessageId, MessageState};
use crate::store::sql::{self, Sql};
use crate::store::{AccountId, Connection, Error, parsed};

/// The maximum time in ms between a send whose response was lost and its receipt.
const MAX_RECEIPT_DELAY_MS: i64 = 3_600_000;

/// A stored receipt and its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The account.
    pub account: AccountId,
    /// WeChat's msgid of the message.
    pub msgid: i64,
    /// The status in the receipt.
    pub status: String,
    /// When the receipt arrived, in ms.
    pub received_at: i64,
    /// The id of the message.
    pub message: MessageId,
}

/// A message for which WeChat's response was lost or late, and its msgid according to a receipt or that
/// response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostAnswer {
    /// The id of the message.
    pub message: MessageId,
    /// WeChat's msgid of the message.
    pub msgid: i64,
}

/// Stores receipts that arrived at `at` (ms). A receipt that is already stored does not change.
pub async fn insert_unmatched(
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
        sql.or_ignore();
        connection.execute_raw(sql.into_statement()).await?;
    }
    Ok(())
}

/// Completes a message by a receipt that arrived before WeChat's response to the send was committed.
/// Returns the new state; `None` if no receipt is stored, or the message was already in a final state.
///
/// The sender calls this in the transaction that records the msgid, after it wrote the row of the message,
/// because an erasure locks messages before receipts. A receipt whose own transaction is not yet committed
/// is not visible here; the inbox matches it to its message soon afterwards.
pub async fn take_matching(
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

/// Returns up to `limit` receipts stored since `since` (ms) whose message is now known.
pub async fn list_matched(
    connection: &impl Connection,
    since: i64,
    limit: u64,
) -> Result<Vec<Matched>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT receipt.account_id, receipt.msgid, status, received_at, message.id");
    sql.push(" FROM receipt JOIN message ON message.account_id = receipt.account_id");
    sql.push(" AND message.msgid = receipt.msgid WHERE received_at >= ").bind(since);
    sql.push(" LIMIT ").bind(limit.cast_signed());
    let matched = |row: &QueryResult| {
        Ok(Matched {
            account: row.try_get_by_index(0)?,
            msgid: row.try_get_by_index(1)?,
            status: row.try_get_by_index(2)?,
            received_at: row.try_get_by_index(3)?,
            message: parsed(row.try_get_by_index(4)?)?,
        })
    };
    connection.query_all_raw(sql.into_statement()).await?.iter().map(matched).collect()
}

/// Returns messages for which WeChat's response was lost, each with the only receipt stored since `since`
/// (ms) that can belong to it: the receipt has the same recipient, it arrived within an hour after the send,
/// and no other message without a msgid can have been sent to that recipient in that hour.
pub async fn list_lost_answers(
    connection: &impl Connection,
    since: i64,
) -> Result<Vec<LostAnswer>, Error> {
    let mut sql = Sql::new(connection);
    sql.push("SELECT MIN(message.id), receipt.msgid FROM receipt JOIN message");
    sql.push(" ON message.account_id = receipt.account_id AND message.openid = receipt.openid");
    sql.push(" WHERE received_at >= ").bind(since).push(" AND message.msgid IS NULL");
    sql.push(" AND state IN ").bind_list(OPEN.map(MessageState::as_str));
    sql.push(" AND first_sent_at <= received_at AND first_sent_at >= received_at - ");
    sql.bind(MAX_RECEIPT_DELAY_MS);
    sql.push(" AND NOT EXISTS (SELECT 1 FROM message numbered");
    sql.push(" WHERE numbered.account_id = receipt.account_id");
    sql.push(" AND numbered.msgid = receipt.msgid)");
    sql.push(" GROUP BY receipt.account_id, receipt.msgid HAVING COUNT(*) = 1");
    // Excludes messages that will be sent again, since the next attempt learns more. The receipt could also
    // belong to a message that another system sent to the same recipient.
    sql.push(" AND MIN(state) <> ").bind(MessageState::Queued.as_str());
    sql.push(" AND MAX(CASE WHEN message.due_at IS NULL THEN 0 ELSE 1 END) = 0");
    let mut by_message: HashMap<String, Vec<i64>> = HashMap::new();
    for row in connection.query_all_raw(sql.into_statement()).await? {
        by_message.entry(row.try_get_by_index(0)?).or_default().push(row.try_get_by_index(1)?);
    }
    let only = |(id, msgids): (String, Vec<i64>)| match msgids.as_slice() {
        [msgid] => Some(parsed(id).map(|message| LostAnswer { message, msgid: *msgid })),
        _ => None,
    };
    by_message.into_iter().filter_map(only).collect()
}

/// Records the WeChat msgid of a message whose response was lost or late, unless its msgid is already
/// known or the message is in a final state.
pub async fn record_msgid(connection: &impl Connection, lost: &LostAnswer) -> Result<(), Error> {
    let mut sql = Sql::new(connection);
    sql.push("UPDATE message SET msgid = ").bind(lost.msgid);
    sql.push(" WHERE id = ").bind(lost.message.as_str()).push(" AND msgid IS NULL AND state IN ");
    sql.bind_list([MessageState::Sent, MessageState::Unknown].map(MessageState::as_str));
    connection.execute_raw(sql.into_statement()).await?;
    Ok(())
}

/// Deletes stored receipts of an account by their WeChat numbers.
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

/// Deletes up to `limit` receipts that arrived before `at` (ms). Returns their number.
pub async fn delete_before(
    connection: &impl Connection,
    at: i64,
    limit: u64,
) -> Result<u64, Error> {
    sql::delete_below(connection, "receipt", "account_id, msgid", "received_at", at, limit).await
}
