//! Messages: accepted, sent by any process that claims them, completed by a receipt.
//!
//! The process that accepts a message creates its id, a UUID version 7. Ids increase with time, so a list is
//! ordered by id and a time corresponds to a position in it.

mod count;
mod list;
mod progress;
mod queue;

use entity::message::{ActiveModel, Entity, Model};
use sea_orm::{ActiveValue, EntityTrait};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AccountId, Connection, Error, parsed};
use crate::model::{
    Attempt, Channel, Content, MessageId, MessageState, OpenId, TemplateId, UnionId,
};

pub use count::{Count, count};
pub use list::{Filter, list};
pub use progress::{Claim, Progress, delete_before, mark_sending, record, release, reroute};
pub use queue::{
    ClaimPeriod, Due, QueueStatus, claim, count_waiting, expire, expire_ids, list_due, lock_due,
    lock_ids, postpone, postpone_user, queue_status,
};

/// Well below every database's limit on bound values.
const ROWS_PER_STATEMENT: usize = 500;

/// A way to send a message to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The kind of message.
    pub channel: Channel,
    /// The account that sends.
    pub account: AccountId,
    /// The recipient's openid in that account.
    pub openid: OpenId,
    /// The template of that account.
    pub template_id: TemplateId,
    /// The content to send.
    pub content: Content,
}

/// A message to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The id of the message.
    pub id: MessageId,
    /// The recipient's unionid, if known.
    pub unionid: Option<UnionId>,
    /// How to send the message.
    pub route: Route,
    /// How to send the message if the recipient turns out not to follow.
    pub fallback: Option<Route>,
}

/// A stored message. All times are in ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The id of the message, which is also WeChat's `client_msg_id`.
    pub id: MessageId,
    /// The state of the message.
    pub state: MessageState,
    /// How to send the message.
    pub route: Route,
    /// How to send the message if the recipient turns out not to follow.
    pub fallback: Option<Route>,
    /// The recipient's unionid, if known.
    pub unionid: Option<UnionId>,
    /// WeChat's number of the message, once known.
    pub msgid: Option<i64>,
    /// Why the message failed or waits.
    pub reason: Option<String>,
    /// How often the message was claimed.
    pub attempt: i32,
    /// The outcome of each attempt, oldest first.
    pub attempts: Vec<Attempt>,
    /// When the next attempt is due, or when the current claim ends; `None` if nothing is left to do.
    pub due_at: Option<i64>,
    /// When the request was sent whose response from WeChat is pending.
    pub sending_at: Option<i64>,
    /// When WeChat may first have received the message.
    pub first_sent_at: Option<i64>,
    /// When this service accepted the message.
    pub accepted_at: i64,
    /// When WeChat accepted the message.
    pub sent_at: Option<i64>,
    /// When the final state became known.
    pub finished_at: Option<i64>,
}

/// Stores new messages, which are due immediately. `accepted_at` is in ms.
pub async fn insert(
    connection: &impl Connection,
    messages: &[NewMessage],
    accepted_at: i64,
) -> Result<(), Error> {
    for chunk in messages.chunks(ROWS_PER_STATEMENT) {
        let rows = chunk.iter().map(|message| row(message, accepted_at));
        let rows = rows.collect::<Result<Vec<_>, Error>>()?;
        Entity::insert_many(rows).exec_without_returning(connection).await?;
    }
    Ok(())
}

fn row(message: &NewMessage, accepted_at: i64) -> Result<ActiveModel, Error> {
    let NewMessage { id, unionid, route, fallback } = message;
    Ok(ActiveModel {
        id: ActiveValue::set(id.to_string()),
        account_id: ActiveValue::set(route.account),
        channel: ActiveValue::set(route.channel.to_string()),
        state: ActiveValue::set(MessageState::Queued.to_string()),
        openid: ActiveValue::set(route.openid.to_string()),
        unionid: ActiveValue::set(unionid.as_ref().map(UnionId::to_string)),
        template_id: ActiveValue::set(route.template_id.to_string()),
        content: ActiveValue::set(json(&route.content)?),
        fallback: ActiveValue::set(fallback.as_ref().map(json).transpose()?),
        due_at: ActiveValue::set(Some(accepted_at)),
        accepted_at: ActiveValue::set(accepted_at),
        attempt: ActiveValue::set(0),
        ..Default::default()
    })
}

/// Finds a message by its id.
pub async fn find(connection: &impl Connection, id: &MessageId) -> Result<Option<Message>, Error> {
    Entity::find_by_id(id.as_str()).one(connection).await?.map(message).transpose()
}

fn message(row: Model) -> Result<Message, Error> {
    let unknown = || Error::unexpected("a message in the database has an unknown state or channel");
    let route = Route {
        channel: Channel::from_code(&row.channel).ok_or_else(unknown)?,
        account: row.account_id,
        openid: parsed(row.openid)?,
        template_id: parsed(row.template_id)?,
        content: read(&row.content)?,
    };
    Ok(Message {
        id: parsed(row.id)?,
        state: MessageState::from_code(&row.state).ok_or_else(unknown)?,
        route,
        fallback: row.fallback.as_deref().map(read).transpose()?,
        unionid: row.unionid.map(parsed).transpose()?,
        msgid: row.msgid,
        reason: row.reason,
        attempt: row.attempt,
        attempts: row.attempts.as_deref().map(read).transpose()?.unwrap_or_default(),
        due_at: row.due_at,
        sending_at: row.sending_at,
        first_sent_at: row.first_sent_at,
        accepted_at: row.accepted_at,
        sent_at: row.sent_at,
        finished_at: row.finished_at,
    })
}

fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|_| Error::unexpected("a message cannot be serialised"))
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    let malformed = |_| Error::unexpected("a message in the database is malformed");
    serde_json::from_str(text).map_err(malformed)
}

/// The lower bound of the ids of all messages that were accepted at `at` (ms) or later.
fn first_id_at(at: i64) -> String {
    Uuid::from_u128(u128::from(at.max(0).unsigned_abs()) << 80).simple().to_string()
}
