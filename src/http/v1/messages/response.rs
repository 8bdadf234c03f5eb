//! A message in answers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{AppId, Attempt, Channel, MessageId, MessageState, OpenId, TemplateId, UnionId};
use crate::push::MessageView;

/// A message that was accepted
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct AcceptedMessage {
    /// Its id, for GET /v1/messages/{id}
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$")]
    id: MessageId,
    /// Always `queued`
    #[schema(value_type = String, pattern = "^queued$")]
    state: MessageState,
}

impl AcceptedMessage {
    pub(super) fn new(id: MessageId) -> Self {
        Self { id, state: MessageState::Queued }
    }
}

/// A message and its fate, without what it says
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MessageResponse {
    /// Its id
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$")]
    id: MessageId,
    /// How far it has come: `queued`, `sent` (WeChat took it), `delivered`, `failed`, or `unknown`
    /// (WeChat's answer was lost, so that only a receipt can tell)
    #[schema(value_type = String, pattern = "^(queued|sent|delivered|failed|unknown)$")]
    state: MessageState,
    /// `template` for one of an Official Account, `subscribe` for one of a Mini Program
    #[schema(value_type = String, pattern = "^(template|subscribe)$")]
    channel: Channel,
    /// The account that sends it
    #[schema(value_type = String)]
    appid: AppId,
    /// The person in that account
    // Left out of what is kept for a repetition: an erasure must not miss it there.
    #[schema(value_type = String, required = true)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openid: Option<OpenId>,
    /// The person across accounts; null where it is not known
    #[schema(value_type = Option<String>, required = true)]
    unionid: Option<UnionId>,
    /// The template
    #[schema(value_type = String)]
    template_id: TemplateId,
    /// WeChat's number for it, once known. Beyond 2^53, so that JavaScript and jq round it: read
    /// `msgid_text` there
    #[schema(required = true)]
    msgid: Option<i64>,
    /// The same as text
    #[schema(required = true)]
    msgid_text: Option<String>,
    /// Why it failed or waits, in a word such as `unfollowed`, or as the receipt says: `failed:user block`.
    /// What WeChat said to an attempt stands with that
    #[schema(required = true)]
    reason: Option<String>,
    /// What came of each attempt, the first first
    #[schema(value_type = Vec<MessageAttempt>)]
    attempts: Vec<Attempt>,
    /// When it was accepted here
    accepted_at: DateTime<Utc>,
    /// When WeChat took it
    #[schema(required = true)]
    sent_at: Option<DateTime<Utc>>,
    /// When its fate was known
    #[schema(required = true)]
    finished_at: Option<DateTime<Utc>>,
    /// When it is tried next, or WeChat's answer is due
    #[schema(required = true)]
    next_attempt_at: Option<DateTime<Utc>>,
}

/// An attempt to send a message
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the model serialises; a test compares the two")]
pub(super) struct MessageAttempt {
    /// When it ended
    at: DateTime<Utc>,
    /// Which way it went, `template` or `subscribe`, where the message has gone another way since
    #[schema(value_type = Option<String>, pattern = "^(template|subscribe)$")]
    channel: Option<Channel>,
    /// `accepted`, or why not, in a word
    outcome: String,
    /// WeChat's error code, where it gave one
    errcode: Option<i64>,
    /// What WeChat said with it, or what went wrong on the way to WeChat
    errmsg: Option<String>,
    /// WeChat's number for the request, to be given to its support
    rid: Option<String>,
}

impl From<MessageView> for MessageResponse {
    fn from(shown: MessageView) -> Self {
        Self {
            id: shown.id,
            state: shown.state,
            channel: shown.channel,
            appid: shown.appid,
            openid: Some(shown.openid),
            unionid: shown.unionid,
            template_id: shown.template_id,
            msgid: shown.msgid,
            msgid_text: shown.msgid.map(|msgid| msgid.to_string()),
            reason: shown.reason,
            attempts: shown.attempts,
            accepted_at: shown.accepted_at,
            sent_at: shown.sent_at,
            finished_at: shown.finished_at,
            next_attempt_at: shown.next_attempt_at,
        }
    }
}

impl MessageResponse {
    /// The message's id.
    pub(super) fn id(&self) -> &MessageId {
        &self.id
    }

    /// As it is kept for a repetition of the request: without the person.
    pub(super) fn without_person(&self) -> Self {
        Self { openid: None, unionid: None, ..self.clone() }
    }

    /// As it was answered the first time: with the person again.
    pub(super) fn with_person_of(self, shown: MessageView) -> Self {
        Self { openid: Some(shown.openid), unionid: shown.unionid, ..self }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use utoipa::PartialSchema;

    use super::*;

    #[test]
    fn an_attempt_is_described_as_the_model_writes_it() {
        let attempt = Attempt {
            at: DateTime::UNIX_EPOCH,
            channel: Some(Channel::Template),
            outcome: "unfollowed".to_owned(),
            errcode: Some(43_004),
            errmsg: Some("require subscribe".to_owned()),
            rid: Some("1-2-3".to_owned()),
        };
        let written = serde_json::to_value(attempt).unwrap();
        let described = serde_json::to_value(MessageAttempt::schema()).unwrap();
        let names = |object: &Value| {
            let mut names: Vec<_> = object.as_object().unwrap().keys().cloned().collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names(&written), names(&described["properties"]));
        assert_eq!(described["required"], json!(["at", "outcome"]));
    }
}
