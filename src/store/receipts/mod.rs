//! Receipts: the final outcome of a message, identified by WeChat's msgid of the message.
//!
//! The first receipt completes its message; later ones are ignored. A receipt may arrive before WeChat's
//! response to the send is committed, or may belong to a message that another system sent. Such receipts
//! are stored, and matched once the msgid of their message is known.
//!
//! Lock order: accounts first, then messages by id, then receipts.

mod unmatched;

use sea_orm::QueryResult;

use super::sql::Sql;
use super::{AccountId, Connection, Error, parsed};
use crate::model::{MessageId, MessageState, OpenId};

pub use unmatched::{
    LostAnswer, Matched, delete, delete_before, insert_unmatched, list_lost_answers, list_matched,
    record_msgid, take_matching,
};

/// WeChat's status of a delivered message.
pub const SUCCESS: &str = "success";

/// A power of two, since lists are padded to one.
const VALUES_PER_STATEMENT: usize = 512;

/// States from which a receipt completes a message.
const OPEN: [MessageState; 3] = [MessageState::Queued, MessageState::Sent, MessageState::Unknown];

/// A receipt from WeChat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The account that sent the message.
    pub account: AccountId,
    /// WeChat's msgid of the message.
    pub msgid: i64,
    /// The recipient.
    pub openid: OpenId,
    /// [`SUCCESS`], or `failed:` and a reason.
    pub status: String,
}

/// A message whose WeChat msgid is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// WeChat's msgid of the message.
    pub msgid: i64,
    /// The id of the message.
    pub id: MessageId,
    /// Whether the message is in a final state.
    pub is_final: bool,
}

/// Returns the final state of a message whose receipt has this status.
pub fn ending(status: &str) -> MessageState {
    match status {
        SUCCESS => MessageState::Delivered,
        _ => MessageState::Failed,
    }
}

/// Returns the messages of an account that have these WeChat numbers. The other numbers belong to messages
/// of another system, or to messages whose msgid is not yet known.
pub async fn list_messages(
    connection: &impl Connection,
    account: AccountId,
    msgids: &[i64],
) -> Result<Vec<Numbered>, Error> {
    let mut found = Vec::with_capacity(msgids.len());
    for chunk in msgids.chunks(VALUES_PER_STATEMENT) {
        let mut sql = Sql::new(connection);
        sql.push("SELECT msgid, id, state FROM message WHERE account_id = ").bind(account);
        sql.push(" AND msgid IN ").bind_set(chunk.iter().copied());
        for row in connection.query_all_raw(sql.into_statement()).await? {
            found.push(numbered(&row)?);
        }
    }
    Ok(found)
}

fn numbered(row: &QueryResult) -> Result<Numbered, Error> {
    let state = row.try_get_by_index::<String>(2)?;
    let is_final = !OPEN.iter().any(|open| open.as_str() == state);
    Ok(Numbered {
        msgid: row.try_get_by_index(0)?,
        id: parsed(row.try_get_by_index(1)?)?,
        is_final,
    })
}

/// Completes messages by a receipt with this status that arrived at `at` (ms). Messages in a final state do
/// not change. Returns the number of completed messages.
pub async fn end(
    connection: &impl Connection,
    ids: &[MessageId],
    status: &str,
    at: i64,
) -> Result<u64, Error> {
    let state = ending(status);
    let reason = (state == MessageState::Failed).then(|| status.to_owned());
    let mut ended = 0;
    for chunk in ids.chunks(VALUES_PER_STATEMENT) {
        let mut sql = Sql::new(connection);
        sql.push("UPDATE message SET state = ").bind(state.as_str());
        sql.push(", reason = ").bind(reason.clone()).push(", finished_at = ").bind(at);
        sql.push(", due_at = NULL, sending_at = NULL WHERE id IN ");
        sql.bind_set(chunk.iter().map(MessageId::as_str));
        sql.push(" AND state IN ").bind_list(OPEN.map(MessageState::as_str));
        ended += connection.execute_raw(sql.into_statement()).await?.rows_affected();
    }
    Ok(ended)
}
