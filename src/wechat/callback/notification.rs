//! One push: who, when, what.

use super::fields::Fields;
use super::{Event, Malformed, fingerprint};
use crate::model::OpenId;

/// What WeChat pushed, verified and read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The account, by its original id such as `gh_0123456789ab`.
    pub to: String,
    /// Who acted: as a rule an openid, in the events about personal data an id of the platform.
    pub from: String,
    /// When it happened, in seconds since 1970 on WeChat's clock. Pushes arrive in any order.
    pub created_at: i64,
    /// What happened.
    pub event: Event,
    fingerprint: String,
}

/// The end of the year 9999, in seconds since 1970: what is later is no moment.
const LATEST: i64 = 253_402_300_799;

impl Notification {
    pub(super) fn read(fields: &Fields) -> Result<Self, Malformed> {
        let required = |name| fields.printable(name)?.ok_or(Malformed::Missing(name));
        let created_at = fields.number("CreateTime")?.ok_or(Malformed::Missing("CreateTime"))?;
        if !(0..=LATEST).contains(&created_at) {
            return Err(Malformed::Field("CreateTime"));
        }
        Ok(Self {
            to: required("ToUserName")?,
            from: required("FromUserName")?,
            created_at,
            event: event(fields)?,
            fingerprint: fingerprint::of(fields),
        })
    }

    /// Whom the push is about: the data's subject, else who acted; `None` where WeChat names nobody,
    /// and for events that we do not know.
    pub fn person(&self) -> Option<OpenId> {
        match (&self.event, self.event.subject()) {
            (_, Some(subject)) => subject.openid.clone(),
            (Event::Unknown(_), None) => None,
            (_, None) => self.from.parse().ok(),
        }
    }

    /// 64 hexadecimal digits: the same when WeChat sends the push again, others for every other push.
    pub fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }
}

fn event(fields: &Fields) -> Result<Event, Malformed> {
    let kind = fields.text("MsgType")?;
    let is_event = kind.is_none_or(|kind| kind.eq_ignore_ascii_case("event"));
    match (is_event, fields.text("Event")?) {
        (true, Some(name)) => Event::read(name, fields),
        (true, None) => Err(Malformed::Missing(if kind.is_none() { "MsgType" } else { "Event" })),
        (false, _) => Ok(Event::Message),
    }
}
