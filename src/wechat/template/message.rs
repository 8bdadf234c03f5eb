//! A template message, and sending it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Jump, OpenId, TemplateId, Text};
use crate::wechat::decode::lenient::Integer;
use crate::wechat::transport::request::{Call, Request};
use crate::wechat::{Account, BeforeSend, Class, Error};

/// WeChat: <https://developers.weixin.qq.com/doc/service/api/notify/template/api_sendtemplatemessage>
const SEND: Call = Call::with_token("/cgi-bin/message/template/send")
    .classed(Class::of_template_send)
    .never_retried();

/// A template message.
#[derive(Clone, Copy, Serialize)]
pub struct TemplateMessage<'a> {
    /// The recipient: a follower's openid in this account.
    pub touser: &'a OpenId,
    /// The template.
    pub template_id: &'a TemplateId,
    /// A value for each of the template's keys.
    pub data: &'a BTreeMap<String, Text>,
    /// The URL that opens on a tap, unless a Mini Program does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<&'a str>,
    /// The Mini Program that opens on a tap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miniprogram: Option<&'a Jump>,
    /// A deduplication id: WeChat delivers only one message with this id to a user within ten minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_msg_id: Option<&'a str>,
}

impl<'a> TemplateMessage<'a> {
    fn request(&self) -> Request<'a> {
        let page = self.miniprogram.and_then(|jump| jump.pagepath.as_deref());
        let texts = self.data.values().map(|value| value.value.as_str());
        Request::post(SEND, self)
            .redacting([self.touser.as_str()])
            .redacting(self.url.into_iter().chain(page).chain(texts))
    }
}

#[derive(Deserialize)]
struct Sent {
    #[expect(dead_code, reason = "an answer without it is no acceptance")]
    errcode: Integer,
    #[serde(default)]
    msgid: Integer,
}

impl Account {
    /// Sends a template message once. Returns the message id, which the receipt also contains, or `None` if
    /// WeChat's answer lacks it. Success means that WeChat accepted the message, not that it delivered it. After an error,
    /// [`Error::may_have_arrived`] reports whether WeChat may have accepted the message.
    pub async fn send_template(
        &self,
        message: &TemplateMessage<'_>,
        before_send: &dyn BeforeSend,
    ) -> Result<Option<i64>, Error> {
        let Sent { msgid, .. } = self.call_once(&message.request(), before_send).await?;
        Ok(msgid.0.filter(|&msgid| msgid != 0))
    }
}
