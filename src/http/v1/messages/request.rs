//! The request bodies: a message to one user or to many.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::data::{Data, KeyText};
use super::spec::{Fields, MessageFallback, MiniProgramPage, SubscribeMessage};
use crate::http::error::Problem;
use crate::http::v1::single_line::{Line, none_if_empty};
use crate::http::v1::user::NamedUser;
use crate::model::{AppId, TemplateId};
use crate::push::SendRequest;

/// The maximum number of targets in one request.
const MAX_TARGETS: usize = 1_000;

/// A message to one user. Either a template message of an Official Account (`template_id` and the members
/// that belong to it), or a subscribe message of a Mini Program (`subscribe` alone)
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageRequest {
    /// The recipient: a user of any configured Mini Program or Official Account, or a unionid
    to: NamedUser,
    /// The AppID of the Official Account that sends; optional if exactly one is configured
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    official_account: Option<AppId>,
    /// The id of a template of that account
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    template_id: Option<TemplateId>,
    /// A text for each key of the template
    #[schema(value_type = Option<std::collections::HashMap<String, KeyText>>)]
    data: Option<Data>,
    /// The web page that a tap opens; nothing opens if it is empty or left out
    #[serde(default, deserialize_with = "none_if_empty")]
    #[schema(value_type = Option<String>, max_length = 2048)]
    url: Option<Line<2048>>,
    /// The Mini Program page that a tap opens, instead of `url`, on phones that support it
    miniprogram: Option<MiniProgramPage>,
    /// The message to send instead if the user does not follow the Official Account or has switched off the
    /// template
    fallback: Option<MessageFallback>,
    /// A subscribe message of a Mini Program, instead of all members above except the recipient
    subscribe: Option<SubscribeMessage>,
}

/// A message to up to 1,000 users. As for a single message, with `targets` instead of `to`
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageBatchRequest {
    /// The recipients, each with texts of their own
    #[schema(min_items = 1, max_items = 1000)]
    targets: Vec<MessageTarget>,
    /// The AppID of the Official Account that sends; optional if exactly one is configured
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    official_account: Option<AppId>,
    /// The id of a template of that account
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    template_id: Option<TemplateId>,
    /// Texts for keys of the template, for all recipients
    #[schema(value_type = Option<std::collections::HashMap<String, KeyText>>)]
    data: Option<Data>,
    /// The web page that a tap opens; nothing opens if it is empty or left out
    #[serde(default, deserialize_with = "none_if_empty")]
    #[schema(value_type = Option<String>, max_length = 2048)]
    url: Option<Line<2048>>,
    /// The Mini Program page that a tap opens, instead of `url`, on phones that support it
    miniprogram: Option<MiniProgramPage>,
    /// The message to send instead to users who do not follow the Official Account or have switched off the
    /// template
    fallback: Option<MessageFallback>,
    /// A subscribe message of a Mini Program, instead of all members above except the recipient
    subscribe: Option<SubscribeMessage>,
}

/// A recipient of a batch
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageTarget {
    /// The recipient
    to: NamedUser,
    /// Texts for this recipient; they override the texts for all recipients, key by key
    #[schema(value_type = Option<std::collections::HashMap<String, KeyText>>)]
    data: Option<Data>,
}

impl MessageRequest {
    /// Converts the body into a request.
    pub(super) fn into_request(self) -> Result<SendRequest, Problem> {
        let Self { to, official_account, template_id, data, url, miniprogram, fallback, subscribe } =
            self;
        let fields =
            Fields { official_account, template_id, data, url, miniprogram, fallback, subscribe };
        let (message, fallback) = fields.into_specs()?;
        Ok(SendRequest { to: to.into(), message, fallback })
    }
}

impl MessageBatchRequest {
    /// Converts the body into requests, in the order of the targets.
    pub(super) fn into_requests(self) -> Result<Vec<SendRequest>, Problem> {
        let Self {
            targets,
            official_account,
            template_id,
            data,
            url,
            miniprogram,
            fallback,
            subscribe,
        } = self;
        check_count(targets.len())?;
        let fields =
            Fields { official_account, template_id, data, url, miniprogram, fallback, subscribe };
        let (message, fallback) = fields.into_specs()?;
        let requests = targets.into_iter().map(|MessageTarget { to, data }| {
            let mut message = message.clone();
            message.content.data.extend(data.unwrap_or_default().into_texts());
            SendRequest { to: to.into(), message, fallback: fallback.clone() }
        });
        Ok(requests.collect())
    }
}

fn check_count(targets: usize) -> Result<(), Problem> {
    match targets {
        0 => Err(Problem::bad_request("no_targets", "the list of targets is empty")
            .hint("send at least one target")),
        1..=MAX_TARGETS => Ok(()),
        count => {
            let detail = format!("the batch has {count} targets; the maximum is {MAX_TARGETS}");
            Err(Problem::bad_request("too_many_targets", detail)
                .hint("send the targets in several batches"))
        }
    }
}
