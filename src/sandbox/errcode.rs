//! Error responses: WeChat's errcodes and their messages.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::random::mix;

/// An error response with an errcode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) errcode: i64,
    pub(crate) errmsg: Cow<'static, str>,
    /// Whether the errcode is written as a string, as some proxies do.
    pub(crate) errcode_as_text: bool,
}

impl Refusal {
    /// Creates a refusal with WeChat's own message for this errcode.
    pub(crate) fn of(errcode: i64) -> Self {
        Self::with_message(errcode, message(errcode))
    }

    /// Creates a refusal with the given message.
    pub(crate) fn with_message(errcode: i64, errmsg: impl Into<Cow<'static, str>>) -> Self {
        Self { errcode, errmsg: errmsg.into(), errcode_as_text: false }
    }

    /// Writes the errcode as a string.
    pub(crate) fn with_text_errcode(self) -> Self {
        Self { errcode_as_text: true, ..self }
    }

    /// Returns the response body. The message ends with a request id as WeChat's do: 8-8-8 hex digits, the
    /// first group from `seconds` (Unix time) and the others from `random`.
    pub(crate) fn body(&self, seconds: i64, random: u64) -> Vec<u8> {
        let (first, second) = ((random >> 32) as u32, mix(random) as u32);
        let rid = format!("{:08x}-{first:08x}-{second:08x}", seconds as u32);
        let errcode = match self.errcode_as_text {
            true => Value::from(self.errcode.to_string()),
            false => Value::from(self.errcode),
        };
        let errmsg = format!("{} rid: {rid}", self.errmsg);
        json!({"errcode": errcode, "errmsg": errmsg}).to_string().into_bytes()
    }
}

fn message(errcode: i64) -> &'static str {
    match errcode {
        -1 => "system error",
        40001 => "invalid credential, access_token is invalid or not latest",
        40002 => "invalid grant_type",
        40003 => "invalid openid",
        40013 => "invalid appid",
        40014 => "invalid access_token",
        40029 => "invalid code",
        40032 => "invalid openid list size",
        40036 => "invalid template_id size",
        40037 => "invalid template_id",
        40097 => "invalid args",
        40102 => "invalid industry id",
        40125 => "invalid appsecret",
        40163 => "code been used",
        40165 => "invalid weapp pagepath",
        40226 => "code blocked",
        40241 => "message is duplicate in 60 seconds",
        40243 => "appsecret has been frozen",
        40246 => "invalid keyword_name_list",
        41001 => "access_token missing",
        41002 => "appid missing",
        41004 => "appsecret missing",
        41008 => "missing code",
        41028 => "invalid form id",
        41029 => "form id used",
        41030 => "invalid page",
        42001 => "access_token expired",
        43001 => "require GET method",
        43002 => "require POST method",
        43004 => "require subscribe",
        43019 => "require remove blacklist",
        43100 => "change template too frequently",
        43101 => "user refuse to accept the msg",
        43107 => "template banned",
        43108 => "concurrent send to the same user",
        43116 => "template disabled",
        43117 => "send too frequently to the same user",
        44002 => "empty post data",
        45009 => "reach max api daily quota limit",
        45011 => "api minute-quota reach limit, must slower, retry next minute",
        45026 => "template num exceeds limit",
        45027 => "template conflict with industry",
        45103 => "this API is unsupported, please use subscribeMessage.send",
        45109 => {
            "this API is no longer available, please see \
             https://developers.weixin.qq.com/community/develop/"
        }
        47001 => "data format error",
        47003 => "argument invalid!",
        48001 => "api unauthorized",
        48004 => "api forbidden for irregularities",
        48006 => "forbid to clear quota because of reaching the limit",
        50002 => "user limited",
        50005 => "user unsubscribed",
        50007 => "account has been frozen",
        76021 => "cgi_path not found, please check",
        76022 => "could not use this cgi_path, no permission",
        200012 => "private template num exceeds limit",
        200014 => "invalid tid",
        200016 => "invalid start",
        200017 => "invalid limit",
        200018 => "missing ids",
        200019 => "invalid ids",
        200020 => "invalid kidList",
        200021 => "invalid sceneDesc",
        _ => "error",
    }
}
