//! One callback request: who, when, what.

use super::fields::Fields;
use super::{Event, Malformed, fingerprint};
use crate::model::OpenId;

/// A callback request from WeChat, verified and parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The original id of the account, such as `gh_0123456789ab`.
    pub to: String,
    /// The sender: usually an openid; in events about personal data an id of WeChat's platform.
    pub from: String,
    /// When the event happened, in seconds since 1970 on WeChat's clock. Requests arrive in any order.
    pub created_at: i64,
    /// The event.
    pub event: Event,
    fingerprint: String,
}

/// The end of the year 9999, in seconds since 1970. Later times are invalid.
const MAX_CREATED_AT: i64 = 253_402_300_799;

impl Notification {
    pub(super) fn read(fields: &Fields) -> Result<Self, Malformed> {
        let required = |name| fields.printable(name)?.ok_or(Malformed::Missing(name));
        let created_at = fields.number("CreateTime")?.ok_or(Malformed::Missing("CreateTime"))?;
        if !(0..=MAX_CREATED_AT).contains(&created_at) {
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

    /// The user that the event concerns: the subject of the data, else the sender. `None` for unknown events,
    /// and if WeChat names no user.
    pub fn person(&self) -> Option<OpenId> {
        match (&self.event, self.event.subject()) {
            (_, Some(subject)) => subject.openid.clone(),
            (Event::Unknown(_), None) => None,
            (_, None) => self.from.parse().ok(),
        }
    }

    /// A fingerprint of 64 hexadecimal digits. Repetitions of a request have the same one; all other requests
    /// have a different one.
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
