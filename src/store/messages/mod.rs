//! Messages: accepted here, sent by whichever process takes them up, ended by a receipt.
//!
//! Ids are made by who accepts a message and rise with time (UUID version 7), so that a list needs no
//! other order and a time is a place in it.

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
pub use progress::{Claim, Progress, delete_before, depart, give_back, record, reroute};
pub use queue::{
    Due, Outlook, Term, claim, count_waiting, expire, give_up, list_due, lock_due, lock_ids,
    outlook, put_off,
};

/// Messages written by one statement: well below every database's limit on values.
const ROWS_PER_STATEMENT: usize = 500;

/// One way for a message to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// What kind of message it is.
    pub channel: Channel,
    /// The account that sends.
    pub account: AccountId,
    /// The person in that account.
    pub openid: OpenId,
    /// Which of the account's templates.
    pub template_id: TemplateId,
    /// What is said.
    pub content: Content,
}

/// A message to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Its id.
    pub id: MessageId,
    /// The person across accounts, where known.
    pub unionid: Option<UnionId>,
    /// How it goes.
    pub route: Route,
    /// How it goes where the person turns out not to follow.
    pub fallback: Option<Route>,
}

/// A message as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id, and WeChat's `client_msg_id`.
    pub id: MessageId,
    /// How far it has come.
    pub state: MessageState,
    /// How it goes.
    pub route: Route,
    /// How it goes where the person turns out not to follow.
    pub fallback: Option<Route>,
    /// The person across accounts, where known.
    pub unionid: Option<UnionId>,
    /// WeChat's number for it, once known.
    pub msgid: Option<i64>,
    /// Why it failed or waits, in words.
    pub reason: Option<String>,
    /// How often it was taken up.
    pub attempt: i32,
    /// What came of each attempt, the first first.
    pub attempts: Vec<Attempt>,
    /// When it is taken up next, or the claim on it ends; `None` where nothing is left to do.
    pub due_at: Option<i64>,
    /// Since when an answer of WeChat is owed.
    pub sending_at: Option<i64>,
    /// When WeChat may first have got it.
    pub first_sent_at: Option<i64>,
    /// When it was accepted here.
    pub accepted_at: i64,
    /// When WeChat took it.
    pub sent_at: Option<i64>,
    /// When its fate was known.
    pub finished_at: Option<i64>,
}

/// Keeps new messages, to be sent at once.
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

/// A message by its id.
pub async fn find(connection: &impl Connection, id: &MessageId) -> Result<Option<Message>, Error> {
    Entity::find_by_id(id.as_str()).one(connection).await?.map(message).transpose()
}

fn message(row: Model) -> Result<Message, Error> {
    let word = || Error::unexpected("a message in the database is in no known state or channel");
    let route = Route {
        channel: Channel::from_word(&row.channel).ok_or_else(word)?,
        account: row.account_id,
        openid: parsed(row.openid)?,
        template_id: parsed(row.template_id)?,
        content: read(&row.content)?,
    };
    Ok(Message {
        id: parsed(row.id)?,
        state: MessageState::from_word(&row.state).ok_or_else(word)?,
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
    serde_json::to_string(value).map_err(|_| Error::unexpected("a message cannot be written"))
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    let malformed = |_| Error::unexpected("a message in the database is malformed");
    serde_json::from_str(text).map_err(malformed)
}

/// Below the ids of every message accepted at an instant or later.
fn first_id_at(at: i64) -> String {
    Uuid::from_u128(u128::from(at.max(0).unsigned_abs()) << 80).simple().to_string()
}
