//! Messages in responses.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{AppId, Attempt, Channel, MessageId, MessageState, OpenId, TemplateId, UnionId};
use crate::push::MessageView;

/// An accepted message, which will be sent
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct AcceptedMessage {
    /// The id of the message, for `GET /v1/messages/{id}`
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

/// A message and its state, without its content
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MessageResponse {
    /// The id of the message
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$")]
    id: MessageId,
    /// `queued`: WeChat has not accepted the message yet; `reason` says what it waits for, if anything.
    /// `sent`: WeChat accepted it, and no receipt has arrived. `delivered`: WeChat's receipt confirms the
    /// delivery. `failed`: the message will not be delivered; `reason` says why. `unknown`: WeChat's
    /// response was lost, and only a receipt can clarify whether the message was delivered
    #[schema(value_type = String, pattern = "^(queued|sent|delivered|failed|unknown)$")]
    state: MessageState,
    /// `template`: a template message of an Official Account. `subscribe`: a subscribe message of a Mini
    /// Program
    #[schema(value_type = String, pattern = "^(template|subscribe)$")]
    channel: Channel,
    /// The AppID of the account that sends the message
    #[schema(value_type = String)]
    appid: AppId,
    /// The user's openid in that account
    // Omitted from the response stored for repeated requests, so that an erasure need not search there.
    #[schema(value_type = String, required = true)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openid: Option<OpenId>,
    /// The user's unionid, the same in all accounts; null if it is not known
    #[schema(value_type = Option<String>, required = true)]
    unionid: Option<UnionId>,
    /// The id of the template
    #[schema(value_type = String)]
    template_id: TemplateId,
    /// WeChat's id of the message; null until WeChat returns it. Exceeds 2^53, so JavaScript and jq round
    /// it: use `msgid_text` there
    #[schema(required = true)]
    msgid: Option<i64>,
    /// `msgid` as text; null until WeChat returns it
    #[schema(required = true)]
    msgid_text: Option<String>,
    /// Why the message waits, failed or is unknown: a code such as `unfollowed`, or the status of WeChat's
    /// receipt such as `failed:user block`; null if there is nothing to report. `attempts` contains
    /// WeChat's errors
    #[schema(required = true)]
    reason: Option<String>,
    /// The attempts to send the message, the oldest first
    #[schema(value_type = Vec<MessageAttempt>)]
    attempts: Vec<Attempt>,
    /// When this service accepted the message
    accepted_at: DateTime<Utc>,
    /// When WeChat accepted the message; null until then
    #[schema(required = true)]
    sent_at: Option<DateTime<Utc>>,
    /// When the message reached its final state; null until then
    #[schema(required = true)]
    finished_at: Option<DateTime<Utc>>,
    /// When the next attempt is made, or when the response to the current attempt is due at the latest;
    /// null if no further attempt follows
    #[schema(required = true)]
    next_attempt_at: Option<DateTime<Utc>>,
}

/// An attempt to send a message
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the model serializes; a test compares the two")]
pub(super) struct MessageAttempt {
    /// When the attempt ended
    at: DateTime<Utc>,
    /// The channel of the attempt, `template` or `subscribe`; present only if the message has switched to its
    /// fallback since
    #[schema(value_type = Option<String>, pattern = "^(template|subscribe)$")]
    channel: Option<Channel>,
    /// `accepted` if WeChat accepted the message, otherwise the reason as a code
    outcome: String,
    /// WeChat's error code; absent if WeChat returned none
    errcode: Option<i64>,
    /// WeChat's error message, or the network error; absent if there was none
    errmsg: Option<String>,
    /// WeChat's id of the request, for its support; absent if WeChat returned none
    rid: Option<String>,
}

impl From<MessageView> for MessageResponse {
    fn from(message: MessageView) -> Self {
        Self {
            id: message.id,
            state: message.state,
            channel: message.channel,
            appid: message.appid,
            openid: Some(message.openid),
            unionid: message.unionid,
            template_id: message.template_id,
            msgid: message.msgid,
            msgid_text: message.msgid.map(|msgid| msgid.to_string()),
            reason: message.reason,
            attempts: message.attempts,
            accepted_at: message.accepted_at,
            sent_at: message.sent_at,
            finished_at: message.finished_at,
            next_attempt_at: message.next_attempt_at,
        }
    }
}

impl MessageResponse {
    /// The id of the message.
    pub(super) fn id(&self) -> &MessageId {
        &self.id
    }

    /// Returns the response as it is stored for repeated requests: without the user's ids.
    pub(super) fn without_user(&self) -> Self {
        Self { openid: None, unionid: None, ..self.clone() }
    }

    /// Restores the user's ids in a stored response.
    pub(super) fn with_user_of(self, message: MessageView) -> Self {
        Self { openid: Some(message.openid), unionid: message.unionid, ..self }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use utoipa::PartialSchema;

    use super::*;

    #[test]
    fn the_attempt_schema_matches_the_serialized_model() {
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
