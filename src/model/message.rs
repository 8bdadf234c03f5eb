//! A message to one user: its content, channel, state and attempts.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::AppId;
use super::string_enum::string_enum;

string_enum!(
    /// The state of a message.
    MessageState {
        /// The service accepted the message; WeChat has not accepted it yet.
        Queued = "queued",
        /// WeChat accepted the message; its receipt has not arrived.
        Sent = "sent",
        /// WeChat delivered the message.
        Delivered = "delivered",
        /// The message will not arrive; a reason is given.
        Failed = "failed",
        /// WeChat may have the message: its answer was lost, and only a receipt can tell.
        Unknown = "unknown",
    }
);

string_enum!(
    /// The channel a message is sent by.
    Channel {
        /// A template message of an Official Account to a follower.
        Template = "template",
        /// A subscribe message of a Mini Program to a user who agreed to it.
        Subscribe = "subscribe",
    }
);

string_enum!(
    /// A user's consent to a template.
    Consent {
        /// The user accepts messages.
        Accept = "accept",
        /// The user declines messages.
        Reject = "reject",
        /// WeChat has banned the template.
        Ban = "ban",
        /// WeChat omitted the template from the prompt.
        Filter = "filter",
        /// WeChat refused a message because the user declined the template or has not agreed to it.
        Refused = "refused",
    }
);

/// The content of a message, without the user and the template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The text for each key of the template.
    pub data: BTreeMap<String, Text>,
    /// The link that a tap opens. Template messages only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The Mini Program that a tap opens instead, if possible. Template messages only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub miniprogram: Option<Jump>,
    /// The Mini Program page that a tap opens. Subscribe messages only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The release of the Mini Program that a tap opens, `formal` by default. Subscribe messages
    /// only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub miniprogram_state: Option<String>,
    /// The language of the Mini Program, `zh_CN` by default. Subscribe messages only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
}

/// The text for one key of a template. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The text.
    pub value: String,
    /// A colour such as `#173177`. WeChat has ignored it since 2023.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text([hidden])")
    }
}

/// A Mini Program that a tap on a template message opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jump {
    /// The Mini Program. It must be published and linked to the Official Account.
    pub appid: AppId,
    /// The page, such as `pages/order/order?id=1`; the start page by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pagepath: Option<String>,
}

/// One attempt to send a message, and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// The channel, if the message was rerouted to another channel since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The outcome: [`Attempt::ACCEPTED`], or a [`Reason`](super::Reason).
    pub outcome: String,
    /// WeChat's error code, if it returned one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errcode: Option<i64>,
    /// WeChat's error text, or what went wrong before WeChat answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errmsg: Option<String>,
    /// WeChat's id of the request, for its support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
}

impl Attempt {
    /// The outcome of an attempt that WeChat accepted.
    pub const ACCEPTED: &str = "accepted";

    /// An attempt with this outcome and no further details.
    pub fn ended(at: DateTime<Utc>, outcome: impl Into<String>) -> Self {
        let (channel, errcode, errmsg, rid) = (None, None, None, None);
        Self { at, channel, outcome: outcome.into(), errcode, errmsg, rid }
    }
}
