//! What a caller asks to be sent, to one person or to many.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::data::{Data, KeyText};
use super::spec::{Members, MessageFallback, MiniProgramPage, SubscribeMessage};
use crate::http::error::Problem;
use crate::http::v1::line::{Line, none_if_empty};
use crate::http::v1::user::NamedUser;
use crate::model::{AppId, TemplateId};
use crate::push::SendRequest;

/// Targets of one request.
const MOST_TARGETS: usize = 1_000;

/// A message to one person: of an Official Account, by `template_id` and what belongs to it, or else of
/// a Mini Program, by `subscribe`
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageRequest {
    /// To whom: a user of any configured Mini Program or Official Account, or a unionid
    to: NamedUser,
    /// The Official Account that sends; may be left out where one is configured
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    official_account: Option<AppId>,
    /// A template of that account
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    template_id: Option<TemplateId>,
    /// A text for each of the template's keys
    #[schema(value_type = Option<std::collections::HashMap<String, KeyText>>)]
    data: Option<Data>,
    /// The page that a tap opens; none where it is empty
    #[serde(default, deserialize_with = "none_if_empty")]
    #[schema(value_type = Option<String>, max_length = 2048)]
    url: Option<Line<2048>>,
    /// The Mini Program that a tap opens instead, where the phone can
    miniprogram: Option<MiniProgramPage>,
    /// What is sent instead where the person does not follow the Official Account, or does not want its
    /// template
    fallback: Option<MessageFallback>,
    /// A message of a Mini Program, in place of all these
    subscribe: Option<SubscribeMessage>,
}

/// A message to many people: as a single one, with `targets` in place of `to`
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageBatchRequest {
    /// To whom, and what is said to them alone
    #[schema(min_items = 1, max_items = 1000)]
    targets: Vec<MessageTarget>,
    /// The Official Account that sends; may be left out where one is configured
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    official_account: Option<AppId>,
    /// A template of that account
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    template_id: Option<TemplateId>,
    /// The texts that all have in common
    #[schema(value_type = Option<std::collections::HashMap<String, KeyText>>)]
    data: Option<Data>,
    /// The page that a tap opens; none where it is empty
    #[serde(default, deserialize_with = "none_if_empty")]
    #[schema(value_type = Option<String>, max_length = 2048)]
    url: Option<Line<2048>>,
    /// The Mini Program that a tap opens instead, where the phone can
    miniprogram: Option<MiniProgramPage>,
    /// What is sent instead to whoever does not follow the Official Account, or does not want its template
    fallback: Option<MessageFallback>,
    /// A message of a Mini Program, in place of all these
    subscribe: Option<SubscribeMessage>,
}

/// One of many people
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageTarget {
    /// To whom
    to: NamedUser,
    /// Texts for this person, laid over those that all have in common
    #[schema(value_type = Option<std::collections::HashMap<String, KeyText>>)]
    data: Option<Data>,
}

impl MessageRequest {
    /// The request.
    pub(super) fn into_request(self) -> Result<SendRequest, Problem> {
        let Self { to, official_account, template_id, data, url, miniprogram, fallback, subscribe } =
            self;
        let members =
            Members { official_account, template_id, data, url, miniprogram, fallback, subscribe };
        let (message, fallback) = members.into_specs()?;
        Ok(SendRequest { to: to.into(), message, fallback })
    }
}

impl MessageBatchRequest {
    /// The requests, in the order of the targets.
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
        refuse_count(targets.len())?;
        let members =
            Members { official_account, template_id, data, url, miniprogram, fallback, subscribe };
        let (message, fallback) = members.into_specs()?;
        let requests = targets.into_iter().map(|MessageTarget { to, data }| {
            let mut message = message.clone();
            message.content.data.extend(data.unwrap_or_default().into_texts());
            SendRequest { to: to.into(), message, fallback: fallback.clone() }
        });
        Ok(requests.collect())
    }
}

fn refuse_count(targets: usize) -> Result<(), Problem> {
    match targets {
        0 => Err(Problem::bad_request("no_targets", "there is nobody to send to")),
        1..=MOST_TARGETS => Ok(()),
        many => {
            let detail = format!("{many} targets are more than {MOST_TARGETS}");
            Err(Problem::bad_request("too_many_targets", detail).hint("send them in parts"))
        }
    }
}
