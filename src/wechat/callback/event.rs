//! Events, as far as they concern the identity of a user and the delivery of messages.

use super::Malformed;
use super::fields::{Fields, printable};
use crate::model::{AppId, OpenId, UnionId};

/// The event that a callback request reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A user followed the account.
    Subscribe {
        /// The scene text of the QR code that the user scanned, if any.
        scene: Option<String>,
    },
    /// A user unfollowed the account.
    Unsubscribe,
    /// A follower scanned a QR code of the account.
    Scan {
        /// The scene text of the QR code.
        scene: Option<String>,
    },
    /// The receipt of a template message: delivered or failed.
    TemplateSendJobFinish {
        /// The message id from the answer to the send call. The receipt may arrive before that answer.
        msgid: i64,
        /// `success`, or `failed:` and the reason, without a space after the colon.
        status: String,
    },
    /// A user accepted or rejected messages of these templates.
    SubscribeMessagePopup(Vec<Consent>),
    /// A user changed that choice.
    SubscribeMessageChange(Vec<Consent>),
    /// The receipts of subscribe messages.
    SubscribeMessageSent(Vec<Delivery>),
    /// A user changed or withdrew their personal data.
    UserInfoModified(DataSubject),
    /// A user requested the deletion of their data.
    UserAuthorizationRevoke(DataSubject),
    /// A user closed their WeChat account.
    UserAuthorizationCancellation(DataSubject),
    /// A user sent a message to the account: text, image, voice or location.
    Message,
    /// Any other event, with WeChat's name for it.
    Unknown(String),
}

/// Whose data an event is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataSubject {
    /// The user's openid in the account.
    pub openid: Option<OpenId>,
    /// The user's unionid.
    pub unionid: Option<UnionId>,
    /// The AppID of the account, which may differ from the account that received the event.
    pub appid: Option<AppId>,
}

/// A user's choice about messages of one template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The template.
    pub template_id: String,
    /// `accept` or `reject`, in lower case. WeChat also has `ban` and `filter`.
    pub status: String,
    /// WeChat's number for the place where the user was asked.
    pub scene: Option<i64>,
}

impl Consent {
    /// Whether the user accepts messages.
    pub fn is_accepted(&self) -> bool {
        self.status == "accept"
    }
}

/// The receipt of one subscribe message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The template of the message.
    pub template_id: String,
    /// The message id from the answer to the send call.
    pub msgid: Option<i64>,
    /// 0 if the message was delivered.
    pub error_code: i64,
    /// `success`, or the reason for the failure.
    pub error_status: String,
}

const POPUP: &str = "SubscribeMsgPopupEvent";
const CHANGE: &str = "SubscribeMsgChangeEvent";
const SENT: &str = "SubscribeMsgSentEvent";

impl Event {
    /// Parses the event with this name.
    pub(super) fn read(name: &str, fields: &Fields) -> Result<Self, Malformed> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "subscribe" => Self::Subscribe { scene: followed_scene(fields)? },
            "unsubscribe" => Self::Unsubscribe,
            "scan" => Self::Scan { scene: fields.printable("EventKey")? },
            "templatesendjobfinish" => Self::TemplateSendJobFinish {
                msgid: fields.number("MsgID")?.ok_or(Malformed::Missing("MsgID"))?,
                status: status(fields)?,
            },
            "subscribe_msg_popup_event" => Self::SubscribeMessagePopup(consents(fields, POPUP)?),
            "subscribe_msg_change_event" => Self::SubscribeMessageChange(consents(fields, CHANGE)?),
            "subscribe_msg_sent_event" => Self::SubscribeMessageSent(deliveries(fields)?),
            "user_info_modified" => Self::UserInfoModified(subject(fields)?),
            "user_authorization_revoke" => Self::UserAuthorizationRevoke(subject(fields)?),
            "user_authorization_cancellation" => {
                Self::UserAuthorizationCancellation(subject(fields)?)
            }
            _ => Self::Unknown(printable(name)),
        })
    }

    /// The user whose data the event concerns; `None` if it does not concern personal data.
    pub fn subject(&self) -> Option<&DataSubject> {
        match self {
            Self::UserInfoModified(subject)
            | Self::UserAuthorizationRevoke(subject)
            | Self::UserAuthorizationCancellation(subject) => Some(subject),
            _ => None,
        }
    }
}

/// The scene of a follow. `EventKey` is empty, or `qrscene_` and the scene.
fn followed_scene(fields: &Fields) -> Result<Option<String>, Malformed> {
    let key = fields.printable("EventKey")?;
    let scene = key.as_deref().and_then(|key| key.strip_prefix("qrscene_"));
    Ok(scene.filter(|scene| !scene.is_empty()).map(str::to_owned))
}

/// The status of a template message. WeChat writes `failed:user block` and `failed: system failed`.
fn status(fields: &Fields) -> Result<String, Malformed> {
    let status = fields.printable("Status")?.ok_or(Malformed::Missing("Status"))?;
    Ok(match status.split_once(':') {
        Some((outcome, reason)) => format!("{}:{}", outcome.trim_end(), reason.trim_start()),
        None => status,
    })
}

fn subject(fields: &Fields) -> Result<DataSubject, Malformed> {
    Ok(DataSubject {
        openid: fields.id("OpenID")?,
        unionid: fields.id("UnionID")?,
        appid: fields.id("AppID")?,
    })
}

/// The rows of a subscription event, one or several. In XML they are in `List` inside `container`; in JSON in
/// `List` alone or in `container` alone.
pub(super) fn rows<'a>(fields: &'a Fields, container: &'static str) -> Vec<&'a Fields> {
    let inside = fields.rows(container);
    if inside.is_empty() {
        return fields.rows("List");
    }
    let rows_of = |fields: &'a Fields| match fields.has("List") {
        true => fields.rows("List"),
        false => vec![fields],
    };
    inside.into_iter().flat_map(rows_of).collect()
}

/// The rows of any kind of subscription event.
pub(super) fn all_rows(fields: &Fields) -> impl Iterator<Item = &Fields> {
    let container = [POPUP, CHANGE, SENT].into_iter().find(|container| fields.has(container));
    rows(fields, container.unwrap_or(POPUP)).into_iter()
}

fn consents(fields: &Fields, container: &'static str) -> Result<Vec<Consent>, Malformed> {
    let consent = |row: &Fields| {
        Ok(Consent {
            template_id: template_id(row)?,
            status: row.printable("SubscribeStatusString")?.unwrap_or_default().to_lowercase(),
            scene: row.number("PopupScene")?,
        })
    };
    rows(fields, container).into_iter().map(consent).collect()
}

fn deliveries(fields: &Fields) -> Result<Vec<Delivery>, Malformed> {
    let delivery = |row: &Fields| {
        Ok(Delivery {
            template_id: template_id(row)?,
            msgid: row.number("MsgID")?,
            error_code: row.number("ErrorCode")?.unwrap_or_default(),
            error_status: row.printable("ErrorStatus")?.unwrap_or_default(),
        })
    };
    rows(fields, SENT).into_iter().map(delivery).collect()
}

fn template_id(row: &Fields) -> Result<String, Malformed> {
    row.printable("TemplateId")?.ok_or(Malformed::Missing("TemplateId"))
}
