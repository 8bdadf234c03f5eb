//! Classifies every error that a send can end with, in one table.

#[cfg(test)]
mod tests;

use crate::model::{Attempt, Channel, Reason};
use crate::push::deliver::Claimed;
use crate::wechat::{Class, Error};

/// The meaning of an answer that is not a plain acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// An earlier attempt was accepted.
    Accepted,
    /// WeChat may have the message: its answer was lost.
    OutcomeUnknown,
    /// This attempt did not arrive; the message is tried again.
    Retry(Reason, Delay),
    /// This attempt did not arrive; the account is held for a while.
    Held(Reason, Hold),
    /// The message cannot arrive by this channel.
    Refused(Reason, Finding),
}

/// How long a message waits for its next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delay {
    /// Exponential, with jitter.
    BackOff,
    /// A minute: the refusal may be temporary.
    Minute,
    /// Minutes to hours, doubling each time: the user was sent too many messages.
    UserLimit,
    /// Until WeChat resets its daily quotas.
    Day,
}

/// How long an account is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Until WeChat's next minute begins.
    Minute,
    /// Until an operator may have acted.
    TenMinutes,
    /// Until WeChat resets its daily quotas.
    Day,
}

/// What a refusal reveals beyond the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nothing.
    None,
    /// The user does not follow.
    Unfollowed,
    /// The user declined the template.
    Declined,
    /// WeChat does not send this template.
    TemplateStopped,
}

/// What is known of a message before WeChat's answer is classified.
#[derive(Debug, Clone, Copy)]
pub(super) struct History<'a> {
    /// The current channel.
    pub(super) channel: Channel,
    /// Earlier attempts, on any channel.
    pub(super) attempts: &'a [Attempt],
    /// Whether its template is stopped, and this message tests it.
    pub(super) tests_template: bool,
    /// When WeChat last accepted a message after it had refused the account, in ms.
    pub(super) passed_at: i64,
}

impl<'a> History<'a> {
    pub(super) fn of(claimed: &'a Claimed) -> Self {
        Self {
            channel: claimed.message.route.channel,
            attempts: &claimed.message.attempts,
            tests_template: claimed.tests_template,
            passed_at: claimed.passed_at,
        }
    }

    /// Attempts on the current channel.
    fn on_current_channel(&self) -> impl DoubleEndedIterator<Item = &'a Attempt> + use<'a> {
        self.attempts.iter().filter(|attempt| attempt.channel.is_none())
    }

    /// How often WeChat returned this errcode before.
    pub(super) fn count(&self, errcode: i64) -> usize {
        self.on_current_channel().filter(|attempt| attempt.errcode == Some(errcode)).count()
    }

    /// Whether WeChat refuses only this message, although with an error about the account: it did
    /// so twice before, and accepted another message of the account since.
    fn is_only_refused_message(&self, errcode: Option<i64>) -> bool {
        let refused = Reason::AccountRefused.as_str();
        let before = self.on_current_channel().rev();
        let mut before =
            before.filter(|attempt| attempt.outcome == refused && attempt.errcode == errcode);
        let latest = before.next().map(|attempt| attempt.at.timestamp_millis());
        latest.is_some_and(|at| at < self.passed_at) && before.next().is_some()
    }
}

/// Classifies an error.
pub(super) fn classify(error: &Error, history: History<'_>) -> Verdict {
    if error.may_have_arrived() {
        return Verdict::OutcomeUnknown;
    }
    let upstream_code = error.upstream().map(|upstream| upstream.errcode);
    let errcode = upstream_code.unwrap_or(0);
    // A single occurrence may be temporary.
    let refused_if_repeated = |reason, finding| match history.count(errcode) {
        0 => Verdict::Retry(Reason::Unconfirmed, Delay::Minute),
        _ => Verdict::Refused(reason, finding),
    };
    match error.class() {
        Class::Transient | Class::Undecodable => Verdict::Retry(Reason::Busy, Delay::BackOff),
        Class::RateLimited => Verdict::Held(Reason::RateLimited, Hold::Minute),
        Class::Quota => Verdict::Held(Reason::QuotaSpent, Hold::Day),
        Class::Config
            if error.is_about_the_call() && history.is_only_refused_message(upstream_code) =>
        {
            Verdict::Refused(Reason::Refused, Finding::None)
        }
        Class::Config | Class::Token => Verdict::Held(Reason::AccountRefused, Hold::TenMinutes),
        // These two errors say nothing about the message: without a token it was not sent, and an
        // HTTP error does not come from the part of WeChat that validates messages.
        _ if matches!(error, Error::Token(_)) => {
            Verdict::Held(Reason::AccountRefused, Hold::TenMinutes)
        }
        _ if matches!(error, Error::Status { .. }) => Verdict::Retry(Reason::Busy, Delay::BackOff),
        Class::Duplicate => Verdict::Accepted,
        Class::Person if errcode == 40003 => {
            refused_if_repeated(Reason::OpenidUnknown, Finding::None)
        }
        Class::Person => user_error(errcode, history.channel),
        Class::Template if matches!(errcode, 40036 | 40037) && !history.tests_template => {
            refused_if_repeated(Reason::TemplateUnknown, Finding::TemplateStopped)
        }
        Class::Template => template_error(errcode),
        Class::Caller | Class::ListSize => Verdict::Refused(request_reason(errcode), Finding::None),
        Class::Retired => Verdict::Refused(Reason::Retired, Finding::None),
        Class::Unknown => refused_if_repeated(Reason::Refused, Finding::None),
    }
}

fn user_error(errcode: i64, channel: Channel) -> Verdict {
    let (reason, finding) = match errcode {
        43004 | 50005 if channel == Channel::Template => (Reason::Unfollowed, Finding::Unfollowed),
        43101 => (Reason::RefusedByUser, Finding::Declined),
        // Refers to all messages of the account, not to this template.
        48002 => (Reason::RefusedByUser, Finding::None),
        46004 | 49003 => (Reason::OpenidUnknown, Finding::None),
        40226 | 43019 | 65302 => (Reason::UserBlocked, Finding::None),
        // Another message to the same user was in flight.
        43108 => return Verdict::Retry(Reason::Busy, Delay::BackOff),
        43117 => return Verdict::Retry(Reason::TooFrequent, Delay::UserLimit),
        40038 => return Verdict::Retry(Reason::TooFrequent, Delay::Day),
        _ => (Reason::Refused, Finding::None),
    };
    Verdict::Refused(reason, finding)
}

fn template_error(errcode: i64) -> Verdict {
    match errcode {
        40036 | 40037 => Verdict::Refused(Reason::TemplateUnknown, Finding::TemplateStopped),
        // Refers to the text of this message; other texts may pass.
        45013 | 45168 => Verdict::Refused(Reason::ContentRefused, Finding::None),
        40249 => Verdict::Refused(Reason::ContentRefused, Finding::TemplateStopped),
        _ => Verdict::Refused(Reason::TemplateBanned, Finding::TemplateStopped),
    }
}

fn request_reason(errcode: i64) -> Reason {
    match errcode {
        47003 => Reason::DataInvalid,
        40013 | 40039 | 40066 | 40165 | 40166 | 41030 => Reason::JumpInvalid,
        45014 | 45051 => Reason::ContentRefused,
        _ => Reason::RequestInvalid,
    }
}

impl Verdict {
    /// Why the attempt did not deliver the message; `None` if it did.
    pub(super) fn reason(self) -> Option<Reason> {
        match self {
            Self::Accepted => None,
            Self::OutcomeUnknown => Some(Reason::AnswerLost),
            Self::Retry(reason, _) | Self::Held(reason, _) | Self::Refused(reason, _) => {
                Some(reason)
            }
        }
    }
}

/// Whether the user cannot be reached by this channel, so that the fallback may succeed.
pub(super) fn allows_fallback(reason: Reason) -> bool {
    matches!(reason, Reason::Unfollowed | Reason::RefusedByUser | Reason::OpenidUnknown)
}

/// Whether WeChat would have refused every copy of the message, because its content is invalid.
pub(super) fn is_content_error(class: Class) -> bool {
    matches!(class, Class::Caller | Class::ListSize)
}

/// WeChat's error text, or what went wrong before WeChat answered.
pub(super) fn error_text(error: &Error) -> String {
    let Some(upstream) = error.upstream() else { return error.to_string() };
    match error.hint().filter(|_| error.class() == Class::Retired) {
        Some(hint) => format!("{}: {hint}", upstream.errmsg),
        None => upstream.errmsg.clone(),
    }
}
