//! What happened, as far as it concerns who a person is and what reaches them.

use super::Malformed;
use super::fields::{Fields, printable};
use crate::model::{AppId, OpenId, UnionId};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody follows the account.
    Subscribe {
        /// The operator's text in the QR code that was scanned, where one was.
        scene: Option<String>,
    },
    /// Somebody follows no more.
    Unsubscribe,
    /// A follower scanned a QR code of the account.
    Scan {
        /// The operator's text in it.
        scene: Option<String>,
    },
    /// A template message arrived, or did not.
    TemplateSendJobFinish {
        /// The number that WeChat gave the message when it was sent. May be here before that answer.
        msgid: i64,
        /// `success`, or `failed:` and why, with no blank after the colon.
        status: String,
    },
    /// Somebody answered whether messages of these templates may come.
    SubscribeMessagePopup(Vec<Consent>),
    /// Somebody changed that answer.
    SubscribeMessageChange(Vec<Consent>),
    /// Subscribed messages arrived, or did not.
    SubscribeMessageSent(Vec<Delivery>),
    /// Somebody changed or took back data that they had given.
    UserInfoModified(DataSubject),
    /// Somebody wants data about them deleted.
    UserAuthorizationRevoke(DataSubject),
    /// Somebody closed their account.
    UserAuthorizationCancellation(DataSubject),
    /// Somebody wrote to the account, or sent a picture, a voice, a place.
    Message,
    /// Something else, by WeChat's name for it.
    Unknown(String),
}

/// Whose data an event is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataSubject {
    /// The person in the account.
    pub openid: Option<OpenId>,
    /// The person across accounts.
    pub unionid: Option<UnionId>,
    /// The account, which need not be the one that the event was sent to.
    pub appid: Option<AppId>,
}

/// An answer to whether messages of one template may come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The template.
    pub template_id: String,
    /// `accept` or `reject`; WeChat also has `ban` and `filter`. In small letters.
    pub status: String,
    /// Where it was asked, as a number of WeChat's.
    pub scene: Option<i64>,
}

impl Consent {
    /// Whether messages may come.
    pub fn is_accepted(&self) -> bool {
        self.status == "accept"
    }
}

/// How one subscribed message went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its template.
    pub template_id: String,
    /// The number that WeChat gave it when it was sent.
    pub msgid: Option<i64>,
    /// 0 where it arrived.
    pub error_code: i64,
    /// `success`, or why not.
    pub error_status: String,
}

const POPUP: &str = "SubscribeMsgPopupEvent";
const CHANGE: &str = "SubscribeMsgChangeEvent";
const SENT: &str = "SubscribeMsgSentEvent";

impl Event {
    /// Reads the event of this name.
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

    /// Whose data the event is about, where it is about data.
    pub fn subject(&self) -> Option<&DataSubject> {
        match self {
            Self::UserInfoModified(subject)
            | Self::UserAuthorizationRevoke(subject)
            | Self::UserAuthorizationCancellation(subject) => Some(subject),
            _ => None,
        }
    }
}

/// The scene of a follow: `EventKey` is empty, or `qrscene_` and the scene.
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

/// The rows of a subscription event: in `List` inside `container` in XML, in `List` alone or in
/// `container` alone in JSON; one or several.
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

/// The rows of whichever subscription event it is.
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
