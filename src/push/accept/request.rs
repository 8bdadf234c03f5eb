//! Requests of callers: a message to one user.

use crate::model::{AppId, Channel, Content, TemplateId};
use crate::resolve::User;

/// A request to send a message to one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendRequest {
    /// The recipient: a user of any configured account, or a unionid.
    pub to: User,
    /// The message.
    pub message: MessageSpec,
    /// A subscribe message of a Mini Program, sent instead if the user does not follow the Official
    /// Account or does not want its template.
    pub fallback: Option<MessageSpec>,
}

/// A message and the account that sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSpec {
    /// The kind of message.
    pub channel: Channel,
    /// The sending account: an Official Account for template messages, a Mini Program for subscribe
    /// messages. `None` selects the only configured account of that kind.
    pub sender: Option<AppId>,
    /// A template of the sending account.
    pub template_id: TemplateId,
    /// The content of the message.
    pub content: Content,
}
