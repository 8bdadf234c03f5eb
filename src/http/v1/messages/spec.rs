//! The two forms of a message: a template message of an Official Account (`template_id` and the members that
//! belong to it), or a subscribe message of a Mini Program (`subscribe`).
//!
//! The form is determined after all members are parsed, so that errors name the invalid member.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::data::{Data, KeyText};
use crate::http::error::Problem;
use crate::http::v1::single_line::{Line, none_if_empty};
use crate::model::{AppId, Channel, Content, Jump, TemplateId};
use crate::push::MessageSpec;

/// A page of a Mini Program
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MiniProgramPage {
    /// The AppID of the Mini Program, which must be published and linked to the Official Account
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    appid: AppId,
    /// The page, such as `pages/order/order?id=1`; the start page if it is empty or left out
    #[serde(default, deserialize_with = "none_if_empty")]
    #[schema(value_type = Option<String>, max_length = 1024)]
    pagepath: Option<Line<1024>>,
}

/// The message to send if the template message cannot be sent to the user
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageFallback {
    /// A subscribe message of a Mini Program
    subscribe: SubscribeMessage,
}

/// A subscribe message of a Mini Program, to a user who consented to it
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscribeMessage {
    /// The AppID of the Mini Program that sends; optional if exactly one is configured
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// The id of a template of that Mini Program
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    template_id: TemplateId,
    /// A text for each key of the template
    #[schema(value_type = Option<std::collections::HashMap<String, KeyText>>)]
    data: Option<Data>,
    /// The page of the Mini Program that a tap opens; nothing opens if it is empty or left out
    #[serde(default, deserialize_with = "none_if_empty")]
    #[schema(value_type = Option<String>, max_length = 1024)]
    page: Option<Line<1024>>,
    /// The release of the Mini Program that a tap opens; `formal` by default
    miniprogram_state: Option<MiniProgramState>,
    /// The language of WeChat's own texts around the message; `zh_CN` by default
    lang: Option<Lang>,
}

/// A release of a Mini Program: `developer` (development version), `trial` (trial version) or `formal`
/// (published version)
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum MiniProgramState {
    Developer,
    Trial,
    Formal,
}

/// A language of WeChat's user interface
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

/// The members of a request body that describe the message.
pub(super) struct Fields {
    pub(super) official_account: Option<AppId>,
    pub(super) template_id: Option<TemplateId>,
    pub(super) data: Option<Data>,
    pub(super) url: Option<Line<2048>>,
    pub(super) miniprogram: Option<MiniProgramPage>,
    pub(super) fallback: Option<MessageFallback>,
    pub(super) subscribe: Option<SubscribeMessage>,
}

impl Fields {
    /// Returns the message and its fallback.
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
            _ => Err(invalid_form()),
        }
    }
}

fn invalid_form() -> Problem {
    let detail = "a message must have either `template_id` and the members that belong to it, or \
                  `subscribe` alone";
    Problem::bad_request("invalid_body", detail).hint("/docs shows both forms of the body")
}

impl From<SubscribeMessage> for MessageSpec {
    fn from(message: SubscribeMessage) -> Self {
        let SubscribeMessage { appid, template_id, data, page, miniprogram_state, lang } = message;
        let content = Content {
            data: data.unwrap_or_default().into_texts(),
            page: page.map(String::from),
            miniprogram_state: miniprogram_state.map(|state| state.as_str().to_owned()),
            lang: lang.map(|lang| lang.as_str().to_owned()),
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
    fn as_str(self) -> &'static str {
        match self {
            Self::Developer => "developer",
            Self::Trial => "trial",
            Self::Formal => "formal",
        }
    }
}

impl Lang {
    fn as_str(self) -> &'static str {
        match self {
            Self::Mainland => "zh_CN",
            Self::English => "en_US",
            Self::HongKong => "zh_HK",
            Self::Taiwan => "zh_TW",
        }
    }
}
