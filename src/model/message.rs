//! A message to one person: what it says, by which way it goes, and how far it has come.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::AppId;
use super::word::word;

word!(
    /// How far a message has come.
    MessageState {
        /// Accepted here; WeChat has not taken it yet.
        Queued = "queued",
        /// WeChat took it; its receipt has not come.
        Sent = "sent",
        /// WeChat delivered it.
        Delivered = "delivered",
        /// It will not arrive; the reason is told.
        Failed = "failed",
        /// WeChat may have taken it: its answer was lost, and only a receipt can tell.
        Unknown = "unknown",
    }
);

word!(
    /// By which of WeChat's ways a message goes.
    Channel {
        /// A template message of an Official Account to a follower.
        Template = "template",
        /// A subscribe message of a Mini Program to a user who agreed to it.
        Subscribe = "subscribe",
    }
);

word!(
    /// What a person said to a template.
    Consent {
        /// They want it.
        Accept = "accept",
        /// They do not want it.
        Reject = "reject",
        /// WeChat has banned the template.
        Ban = "ban",
        /// WeChat left the template out of the prompt.
        Filter = "filter",
        /// WeChat refused a message, since they do not want it or have not agreed to it.
        Refused = "refused",
    }
);

/// What is sent, the person and the template aside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The text of each of the template's keys.
    pub data: BTreeMap<String, Text>,
    /// The page that a tap opens; of a template message only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The Mini Program that a tap opens instead, where it can; of a template message only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub miniprogram: Option<Jump>,
    /// The page of the Mini Program that a tap opens; of a subscribe message only, as what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Which release of the Mini Program a tap opens: `formal` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub miniprogram_state: Option<String>,
    /// The language of the Mini Program: `zh_CN` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
}

/// The text of one key of a template. Not shown in `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The text.
    pub value: String,
    /// Its colour, such as `#173177`; WeChat has ignored it since 2023.
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
    /// The Mini Program; linked to the Official Account, and published.
    pub appid: AppId,
    /// The page in it, such as `pages/order/order?id=1`; its start page where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pagepath: Option<String>,
}

/// One attempt to send a message, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// Which way it went, where the message has gone another way since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// What came of it: [`Attempt::ACCEPTED`], or the reason why not.
    pub outcome: String,
    /// WeChat's error code, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errcode: Option<i64>,
    /// What WeChat said with it, or what went wrong on the way to WeChat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errmsg: Option<String>,
    /// WeChat's number for the request, to be given to its support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
}

impl Attempt {
    /// The outcome of an attempt that WeChat took.
    pub const ACCEPTED: &str = "accepted";

    /// One that ended like this, and of which nothing else is known.
    pub fn ended(at: DateTime<Utc>, outcome: impl Into<String>) -> Self {
        let (channel, errcode, errmsg, rid) = (None, None, None, None);
        Self { at, channel, outcome: outcome.into(), errcode, errmsg, rid }
    }
}
