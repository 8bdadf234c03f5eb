//! Accepted messages, and their progress.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message")]
pub struct Model {
    /// 32 hex digits that increase with time; also the `client_msg_id` sent to WeChat.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The sending account: an Official Account, or a Mini Program for subscribe messages.
    pub account_id: i32,
    /// `template` or `subscribe`.
    pub channel: String,
    /// `queued`, `sent`, `delivered`, `failed` or `unknown`.
    pub state: String,
    /// The recipient's openid in the sending account.
    pub openid: String,
    /// The recipient's unionid, if known.
    pub unionid: Option<String>,
    /// The template.
    pub template_id: String,
    /// The content in JSON: the template data and the target of a tap.
    pub content: String,
    /// The route to use instead if the recipient does not follow, in JSON.
    pub fallback: Option<String>,
    /// WeChat's number of the message.
    pub msgid: Option<i64>,
    /// Why the message failed or waits.
    pub reason: Option<String>,
    /// How often the message was claimed.
    pub attempt: i32,
    /// The outcome of each attempt, as a JSON array.
    pub attempts: Option<String>,
    /// When the next attempt is due, or when the current claim ends, in ms; null if nothing is left to do.
    pub due_at: Option<i64>,
    /// When the request was sent whose response from WeChat is pending, in ms.
    pub sending_at: Option<i64>,
    /// When WeChat may first have received the message, in ms. Repetitions with the same id are safe for ten
    /// minutes from then.
    pub first_sent_at: Option<i64>,
    /// When this service accepted the message, in ms.
    pub accepted_at: i64,
    /// When WeChat accepted the message, in ms.
    pub sent_at: Option<i64>,
    /// When the final state became known, in ms.
    pub finished_at: Option<i64>,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
