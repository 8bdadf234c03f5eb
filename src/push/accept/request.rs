//! What a caller asks for: a message to one person.

use crate::model::{AppId, Channel, Content, TemplateId};
use crate::resolve::User;

/// A message to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendRequest {
    /// To whom: a user of any configured account, or a unionid.
    pub to: User,
    /// What is sent, and by whom.
    pub message: MessageSpec,
    /// What is sent instead, by a Mini Program, where the person does not follow the Official Account
    /// or does not want its template.
    pub fallback: Option<MessageSpec>,
}

/// What is sent, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSpec {
    /// What kind of message it is.
    pub channel: Channel,
    /// The account that sends: an Official Account sends template messages, a Mini Program subscribe
    /// messages. May be left out where one of that kind is configured.
    pub sender: Option<AppId>,
    /// Which of the account's templates.
    pub template_id: TemplateId,
    /// What it says.
    pub content: Content,
}
