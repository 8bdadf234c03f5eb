//! What a message is: of an Official Account (`template_id` and what belongs to it), or of a Mini Program
//! (`subscribe`).
//!
//! Which of the two is looked at after all members were read, so that whatever is wrong with one of them is
//! told by its name.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::data::{Data, KeyText};
use crate::http::error::Problem;
use crate::http::v1::line::{Line, none_if_empty};
use crate::model::{AppId, Channel, Content, Jump, TemplateId};
use crate::push::MessageSpec;

/// A page of a Mini Program
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MiniProgramPage {
    /// The Mini Program; linked to the Official Account, and published
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    appid: AppId,
    /// The page, such as `pages/order/order?id=1`; its start page where it is empty or left out
    #[serde(default, deserialize_with = "none_if_empty")]
    #[schema(value_type = Option<String>, max_length = 1024)]
    pagepath: Option<Line<1024>>,
}

/// What is sent where the message cannot be
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageFallback {
    subscribe: SubscribeMessage,
}

/// A message of a Mini Program to a user who agreed to it
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscribeMessage {
    /// The Mini Program that sends; may be left out where one is configured
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// A template of that Mini Program
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    template_id: TemplateId,
    /// A text for each of the template's keys
    #[schema(value_type = Option<std::collections::HashMap<String, KeyText>>)]
    data: Option<Data>,
    /// The page of the Mini Program that a tap opens; none where it is empty
    #[serde(default, deserialize_with = "none_if_empty")]
    #[schema(value_type = Option<String>, max_length = 1024)]
    page: Option<Line<1024>>,
    /// Which release of the Mini Program a tap opens; `formal` where it is left out
    miniprogram_state: Option<MiniProgramState>,
    /// The language of WeChat's own words around the message; `zh_CN` where it is left out
    lang: Option<Lang>,
}

/// A release of a Mini Program
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum MiniProgramState {
    Developer,
    Trial,
    Formal,
}

/// A language
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
pub(super) enum Lang {
    #[serde(rename = "zh_CN")]
    Mainland,
    #[serde(rename = "en_US")]
    English,
    #[serde(rename = "zh_HK")]
    HongKong,
    #[serde(rename = "zh_TW")]
    Taiwan,
}

/// What is sent, whoever gets it, as its members say.
pub(super) struct Members {
    pub(super) official_account: Option<AppId>,
    pub(super) template_id: Option<TemplateId>,
    pub(super) data: Option<Data>,
    pub(super) url: Option<Line<2048>>,
    pub(super) miniprogram: Option<MiniProgramPage>,
    pub(super) fallback: Option<MessageFallback>,
    pub(super) subscribe: Option<SubscribeMessage>,
}

impl Members {
    /// The message, and what is sent in its place.
    pub(super) fn into_specs(self) -> Result<(MessageSpec, Option<MessageSpec>), Problem> {
        match self {
            Self {
                subscribe: Some(subscribe),
                official_account: None,
                template_id: None,
                data: None,
                url: None,
                miniprogram: None,
                fallback: None,
            } => Ok((subscribe.into(), None)),
            Self {
                subscribe: None,
                official_account,
                template_id: Some(template_id),
                data,
                url,
                miniprogram,
                fallback,
            } => {
                let content = Content {
                    data: data.unwrap_or_default().into_texts(),
                    url: url.map(String::from),
                    miniprogram: miniprogram.map(Jump::from),
                    ..Content::default()
                };
                let (channel, sender) = (Channel::Template, official_account);
                let spec = MessageSpec { channel, sender, template_id, content };
                Ok((spec, fallback.map(|fallback| fallback.subscribe.into())))
            }
            _ => Err(two_forms()),
        }
    }
}

fn two_forms() -> Problem {
    let detail = "a message has `template_id` and what belongs to it, or else `subscribe` alone";
    Problem::bad_request("invalid_body", detail).hint("/docs shows what the body has to be")
}

impl From<SubscribeMessage> for MessageSpec {
    fn from(message: SubscribeMessage) -> Self {
        let SubscribeMessage { appid, template_id, data, page, miniprogram_state, lang } = message;
        let content = Content {
            data: data.unwrap_or_default().into_texts(),
            page: page.map(String::from),
            miniprogram_state: miniprogram_state.map(|state| state.word().to_owned()),
            lang: lang.map(|lang| lang.word().to_owned()),
            ..Content::default()
        };
        Self { channel: Channel::Subscribe, sender: appid, template_id, content }
    }
}

impl From<MiniProgramPage> for Jump {
    fn from(page: MiniProgramPage) -> Self {
        Self { appid: page.appid, pagepath: page.pagepath.map(String::from) }
    }
}

impl MiniProgramState {
    fn word(self) -> &'static str {
        match self {
            Self::Developer => "developer",
            Self::Trial => "trial",
            Self::Formal => "formal",
        }
    }
}

impl Lang {
    fn word(self) -> &'static str {
        match self {
            Self::Mainland => "zh_CN",
            Self::English => "en_US",
            Self::HongKong => "zh_HK",
            Self::Taiwan => "zh_TW",
        }
    }
}
