//! What it means for a message that WeChat did not say yes: the one table.

#[cfg(test)]
mod tests;

use crate::model::{Attempt, Channel, Reason};
use crate::push::deliver::Claimed;
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

/// What is known of a message when WeChat's answer to it is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Past<'a> {
    /// Which way it goes.
    pub(super) channel: Channel,
    /// The attempts before, by whichever way.
    pub(super) attempts: &'a [Attempt],
    /// Whether it shows if its template is still to be stopped.
    pub(super) tests_template: bool,
    /// When WeChat last took a message of the account after it had refused the account.
    pub(super) passed_at: i64,
}

impl<'a> Past<'a> {
    pub(super) fn of(claimed: &'a Claimed) -> Self {
        Self {
            channel: claimed.message.route.channel,
            attempts: &claimed.message.attempts,
            tests_template: claimed.tests_template,
            passed_at: claimed.passed_at,
        }
    }

    /// The attempts by the way that the message goes now.
    fn of_this_way(&self) -> impl DoubleEndedIterator<Item = &'a Attempt> + use<'a> {
        self.attempts.iter().filter(|attempt| attempt.channel.is_none())
    }

    /// How often WeChat gave this errcode before.
    pub(super) fn times(&self, errcode: i64) -> usize {
        self.of_this_way().filter(|attempt| attempt.errcode == Some(errcode)).count()
    }

    /// Whether it is this message that WeChat refuses, in words about the account: it did so twice before,
    /// and took another message of the account since.
    fn is_alone(&self, errcode: Option<i64>) -> bool {
        let refused = Reason::AccountRefused.as_str();
        let before = self.of_this_way().rev();
        let mut before =
            before.filter(|attempt| attempt.outcome == refused && attempt.errcode == errcode);
        let latest = before.next().map(|attempt| attempt.at.timestamp_millis());
        latest.is_some_and(|at| at < self.passed_at) && before.next().is_some()
    }
}

/// Judges an error.
pub(super) fn judge(error: &Error, past: Past<'_>) -> Verdict {
    if error.may_have_arrived() {
        return Verdict::InDoubt;
    }
    let said = error.upstream().map(|upstream| upstream.errcode);
    let errcode = said.unwrap_or(0);
    // Said once, it may be chance.
    let said_twice = |reason, news| match past.times(errcode) {
        0 => Verdict::Again(Reason::Doubted, Pause::Minute),
        _ => Verdict::Refused(reason, news),
    };
    match error.class() {
        Class::Transient | Class::Undecodable => Verdict::Again(Reason::Busy, Pause::BackOff),
        Class::RateLimited => Verdict::Held(Reason::RateLimited, Hold::Minute),
        Class::Quota => Verdict::Held(Reason::QuotaSpent, Hold::Day),
        Class::Config if error.is_about_the_call() && past.is_alone(said) => {
            Verdict::Refused(Reason::Refused, News::None)
        }
        Class::Config | Class::Token => Verdict::Held(Reason::AccountRefused, Hold::TenMinutes),
        // Neither is a word about the message: without a token it did not leave, and what answers with
        // an HTTP error is not what judges messages.
        _ if matches!(error, Error::Token(_)) => {
            Verdict::Held(Reason::AccountRefused, Hold::TenMinutes)
        }
        _ if matches!(error, Error::Status { .. }) => Verdict::Again(Reason::Busy, Pause::BackOff),
        Class::Duplicate => Verdict::Accepted,
        Class::Person if errcode == 40003 => said_twice(Reason::OpenidUnknown, News::None),
        Class::Person => of_person(errcode, past.channel),
        Class::Template if matches!(errcode, 40036 | 40037) && !past.tests_template => {
            said_twice(Reason::TemplateUnknown, News::TemplateStopped)
        }
        Class::Template => of_template(errcode),
        Class::Caller | Class::ListSize => Verdict::Refused(of_request(errcode), News::None),
        Class::Retired => Verdict::Refused(Reason::Retired, News::None),
        Class::Unknown => said_twice(Reason::Refused, News::None),
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
        // Another message to the same person was under way.
        43108 => return Verdict::Again(Reason::Busy, Pause::BackOff),
        43117 => return Verdict::Again(Reason::TooFrequent, Pause::Person),
        40038 => return Verdict::Again(Reason::TooFrequent, Pause::Day),
        _ => (Reason::Refused, News::None),
    };
    Verdict::Refused(reason, news)
}

fn of_template(errcode: i64) -> Verdict {
    match errcode {
        40036 | 40037 => Verdict::Refused(Reason::TemplateUnknown, News::TemplateStopped),
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

/// Whether WeChat would have refused every copy of the message alike: the fault is in what it says.
pub(super) fn is_about_content(class: Class) -> bool {
    matches!(class, Class::Caller | Class::ListSize)
}

/// What WeChat said, or what went wrong on the way to it.
pub(super) fn words(error: &Error) -> String {
    let Some(upstream) = error.upstream() else { return error.to_string() };
    match error.hint().filter(|_| error.class() == Class::Retired) {
        Some(hint) => format!("{}: {hint}", upstream.errmsg),
        None => upstream.errmsg.clone(),
    }
}
