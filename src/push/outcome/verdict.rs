//! What it means for a message that WeChat did not say yes: the one table.

#[cfg(test)]
mod tests;

use crate::model::{Attempt, Channel, Reason};
use crate::wechat::{Class, Error};

/// What an attempt that WeChat did not accept comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// An earlier attempt was accepted.
    Accepted,
    /// WeChat may have it: its answer was lost.
    InDoubt,
    /// This attempt did not arrive, and another is made.
    Again(Reason, Pause),
    /// This attempt did not arrive, and nothing of the account leaves for a while.
    Held(Reason, Hold),
    /// It will not arrive by this way.
    Refused(Reason, News),
}

/// How long a message waits for its next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    /// Longer each time, and up to chance.
    BackOff,
    /// A minute: what WeChat says may be passing.
    Minute,
    /// Minutes to hours, longer each time: the person was sent too much.
    Person,
    /// Until allowances are renewed.
    Day,
}

/// How long an account waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Until WeChat's next minute begins.
    Minute,
    /// Until an operator may have acted.
    TenMinutes,
    /// Until allowances are renewed.
    Day,
}

/// What a refusal tells beyond the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing.
    None,
    /// The person does not follow.
    Unfollowed,
    /// The person does not want this template.
    Declined,
    /// WeChat does not send this template.
    TemplateStopped,
}

/// Judges an error; `attempts` are those before it.
pub(super) fn judge(error: &Error, channel: Channel, attempts: &[Attempt]) -> Verdict {
    if error.may_have_arrived() {
        return Verdict::InDoubt;
    }
    let errcode = error.upstream().map_or(0, |upstream| upstream.errcode);
    let was_told = attempts.iter().any(|attempt| attempt.errcode == Some(errcode));
    // Said once, it may be chance.
    let said_twice = |reason| match was_told {
        true => Verdict::Refused(reason, News::None),
        false => Verdict::Again(Reason::Doubted, Pause::Minute),
    };
    match error.class() {
        Class::Transient | Class::Undecodable => Verdict::Again(Reason::Busy, Pause::BackOff),
        Class::RateLimited => Verdict::Held(Reason::RateLimited, Hold::Minute),
        Class::Quota => Verdict::Held(Reason::QuotaSpent, Hold::Day),
        Class::Config | Class::Token => Verdict::Held(Reason::AccountRefused, Hold::TenMinutes),
        // Neither is a word about the message: without a token it did not leave, and what answers with
        // an HTTP error is not what judges messages.
        _ if matches!(error, Error::Token(_)) => {
            Verdict::Held(Reason::AccountRefused, Hold::TenMinutes)
        }
        _ if matches!(error, Error::Status { .. }) => Verdict::Again(Reason::Busy, Pause::BackOff),
        Class::Duplicate => Verdict::Accepted,
        Class::Person if errcode == 40003 => said_twice(Reason::OpenidUnknown),
        Class::Person => of_person(errcode, channel),
        Class::Template if matches!(errcode, 40036 | 40037) => said_twice(Reason::TemplateUnknown),
        Class::Template => of_template(errcode),
        Class::Caller | Class::ListSize => Verdict::Refused(of_request(errcode), News::None),
        Class::Retired => Verdict::Refused(Reason::Retired, News::None),
        Class::Unknown => said_twice(Reason::Refused),
    }
}

fn of_person(errcode: i64, channel: Channel) -> Verdict {
    let (reason, news) = match errcode {
        43004 | 50005 if channel == Channel::Template => (Reason::Unfollowed, News::Unfollowed),
        43101 => (Reason::RefusedByUser, News::Declined),
        // Of every message of the account, not of this template.
        48002 => (Reason::RefusedByUser, News::None),
        46004 | 49003 => (Reason::OpenidUnknown, News::None),
        40226 | 43019 | 65302 => (Reason::UserBlocked, News::None),
        43117 => return Verdict::Again(Reason::TooFrequent, Pause::Person),
        40038 => return Verdict::Again(Reason::TooFrequent, Pause::Day),
        _ => (Reason::Refused, News::None),
    };
    Verdict::Refused(reason, news)
}

fn of_template(errcode: i64) -> Verdict {
    match errcode {
        // The words of this message; those of others may pass.
        45013 | 45168 => Verdict::Refused(Reason::ContentRefused, News::None),
        40249 => Verdict::Refused(Reason::ContentRefused, News::TemplateStopped),
        _ => Verdict::Refused(Reason::TemplateBanned, News::TemplateStopped),
    }
}

fn of_request(errcode: i64) -> Reason {
    match errcode {
        47003 => Reason::DataInvalid,
        40013 | 40039 | 40066 | 40165 | 40166 | 41030 => Reason::JumpInvalid,
        45014 | 45051 => Reason::ContentRefused,
        _ => Reason::RequestInvalid,
    }
}

impl Verdict {
    /// Why the message does not arrive now, if at all; nothing where it did.
    pub(super) fn reason(self) -> Option<Reason> {
        match self {
            Self::Accepted => None,
            Self::InDoubt => Some(Reason::AnswerLost),
            Self::Again(reason, _) | Self::Held(reason, _) | Self::Refused(reason, _) => {
                Some(reason)
            }
        }
    }
}

/// Whether the person cannot be reached by this way, so that another one is worth a try.
pub(super) fn is_about_reach(reason: Reason) -> bool {
    matches!(reason, Reason::Unfollowed | Reason::RefusedByUser | Reason::OpenidUnknown)
}

/// The reason with what WeChat said, in words.
pub(super) fn in_words(reason: Reason, error: &Error) -> String {
    if let Some(field) = error.refused_field() {
        return format!("{reason}: {field}");
    }
    match (error.upstream(), error.hint()) {
        (_, Some(hint)) if reason == Reason::Retired => format!("{reason}: {hint}"),
        (Some(upstream), _) => format!("{reason}: {} {}", upstream.errcode, upstream.errmsg),
        (None, _) => format!("{reason}: {error}"),
    }
}
