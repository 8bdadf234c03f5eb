//! Receipts: what became of a message, by the number that WeChat gave it.
//!
//! A receipt ends its message, and the first stands. It may come before the answer to the send is
//! committed here, or be of a message that another system sent: then it is kept, to be joined to its
//! message once that is known to have the number.
//!
//! Who locks more than one row locks accounts first, then messages by their ids, then receipts.

mod unmatched;

use sea_orm::QueryResult;

use super::sql::Sql;
use super::{AccountId, Connection, Error, parsed};
use crate::model::{MessageId, MessageState, OpenId};

pub use unmatched::{
    Lost, Matched, delete, forget_before, keep, list_joinable, list_lost, number, take,
};

/// WeChat's word for a message that arrived.
pub const SUCCESS: &str = "success";

/// Values a statement, padded to the next power of two.
const VALUES_PER_STATEMENT: usize = 512;

/// States that a receipt ends.
const OPEN: [MessageState; 3] = [MessageState::Queued, MessageState::Sent, MessageState::Unknown];

/// What WeChat says of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The account that sent it.
    pub account: AccountId,
    /// WeChat's number for it.
    pub msgid: i64,
    /// Who it was for.
    pub openid: OpenId,
    /// [`SUCCESS`], or `failed:` and why.
    pub status: String,
}

/// A message that has a number of WeChat's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// WeChat's number for it.
    pub msgid: i64,
    /// Its id.
    pub id: MessageId,
    /// Whether its fate is known.
    pub is_final: bool,
}

/// How a receipt of this status ends its message.
pub fn ending(status: &str) -> MessageState {
    match status {
        SUCCESS => MessageState::Delivered,
        _ => MessageState::Failed,
    }
}

/// The messages of an account that have these numbers; others are of another system, or not known
/// yet to have theirs.
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

/// Ends messages as a receipt of this status says that came at `at`; those whose fate is known already
/// stay as they are. Returns how many it ended.
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
