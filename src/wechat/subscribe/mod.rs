//! A Mini Program's subscribe messages, and the templates for them.
//!
//! A user accepts a template in the Mini Program, and each acceptance is valid for one message. As with
//! template messages, calls that change something are never retried.

mod templates;

pub use templates::{Category, Keyword, LibraryTitle, SubscribeTemplate};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::decode::lenient::Integer;
use super::transport::request::{Call, Request};
use super::{Account, BeforeSend, Class, Error};
use crate::model::{OpenId, TemplateId, Text};

const SEND: Call = Call::with_token("/cgi-bin/message/subscribe/send")
    .classed(Class::of_subscribe_send)
    .never_retried();

/// A subscribe message.
#[derive(Clone, Copy, Serialize)]
pub struct SubscribeMessage<'a> {
    /// The recipient's openid in the Mini Program.
    pub touser: &'a OpenId,
    /// The template.
    pub template_id: &'a TemplateId,
    /// A value for each of the template's keys; colours are not sent.
    #[serde(serialize_with = "without_colors")]
    pub data: &'a BTreeMap<String, Text>,
    /// The page of the Mini Program that opens on a tap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<&'a str>,
    /// The version that opens: `developer`, `trial` or `formal` (WeChat's default).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miniprogram_state: Option<&'a str>,
    /// The language of the text that WeChat adds: `zh_CN`, `en_US`, `zh_HK` or `zh_TW`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lang: Option<&'a str>,
}

impl<'a> SubscribeMessage<'a> {
    fn request(&self) -> Request<'a> {
        let texts = self.data.values().map(|value| value.value.as_str());
        Request::post(SEND, self)
            .redacting([self.touser.as_str()])
            .redacting(self.page.into_iter().chain(texts))
    }
}

fn without_colors<S: Serializer>(
    data: &&BTreeMap<String, Text>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Value<'a> {
        value: &'a str,
    }
    serializer.collect_map(data.iter().map(|(key, Text { value, .. })| (key, Value { value })))
}

/// The answer to a message, with or without a message id.
#[derive(Deserialize)]
pub(super) struct Accepted {
    #[serde(rename = "errcode")]
    _zero: Integer,
    #[serde(default)]
    msgid: Integer,
    #[serde(default, rename = "msgId")]
    msg_id: Integer,
}

impl Account {
    /// Sends a subscribe message once. Returns the message id, if WeChat returns one. Success means that
    /// WeChat accepted the message, not that it delivered it. After an error, [`Error::may_have_arrived`]
    /// reports whether WeChat may have accepted the message.
    pub async fn send_subscribe(
        &self,
        message: &SubscribeMessage<'_>,
        before_send: &dyn BeforeSend,
    ) -> Result<Option<i64>, Error> {
        let accepted: Accepted = self.call_once(&message.request(), before_send).await?;
        Ok(accepted.msgid.0.or(accepted.msg_id.0).filter(|&msgid| msgid != 0))
    }
}
