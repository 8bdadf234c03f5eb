//! A Mini Program's subscribe messages, and the templates for them.
//!
//! A person accepts a template in the Mini Program, and each acceptance is good for one message. As with
//! template messages, what changes something is asked for once.

mod templates;

pub use templates::{Category, Keyword, LibraryTitle, SubscribeTemplate};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::lenient::Integer;
use super::request::{Call, Request};
use super::{Account, BeforeSend, Class, Error};
use crate::model::{OpenId, TemplateId, Text};

const SEND: Call = Call::with_token("/cgi-bin/message/subscribe/send")
    .classed(Class::of_subscribe_send)
    .made_once();

/// A subscribe message.
#[derive(Clone, Copy, Serialize)]
pub struct SubscribeMessage<'a> {
    /// Who gets it: a user, by the openid that the Mini Program knows them by.
    pub touser: &'a OpenId,
    /// The template.
    pub template_id: &'a TemplateId,
    /// A value for each of the template's keys; colours are not sent.
    #[serde(serialize_with = "without_colors")]
    pub data: &'a BTreeMap<String, Text>,
    /// The page of the Mini Program that opens on a tap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<&'a str>,
    /// The version that opens: `developer`, `trial` or `formal`, which WeChat takes where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miniprogram_state: Option<&'a str>,
    /// The language of WeChat's own words around it: `zh_CN`, `en_US`, `zh_HK` or `zh_TW`.
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
    struct Bare<'a> {
        value: &'a str,
    }
    serializer.collect_map(data.iter().map(|(key, Text { value, .. })| (key, Bare { value })))
}

/// The answer to a message, with or without its number.
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
    /// Sends a subscribe message, once: its number, where WeChat gives one. Accepted is not delivered.
    /// After an error, [`Error::may_have_arrived`] tells whether WeChat may have taken it.
    pub async fn send_subscribe(
        &self,
        message: &SubscribeMessage<'_>,
        before_send: &dyn BeforeSend,
    ) -> Result<Option<i64>, Error> {
        let accepted: Accepted = self.call_once(&message.request(), before_send).await?;
        Ok(accepted.msgid.0.or(accepted.msg_id.0).filter(|&msgid| msgid != 0))
    }
}
