//! Derives the message's next state, and all other changes, from WeChat's answer.

#[cfg(test)]
mod tests;

use chrono::DateTime;

use super::verdict::{
    Delay, Finding, History, Hold, Verdict, allows_fallback, classify, error_text, is_content_error,
};
use crate::model::{Attempt, Channel, MessageState, Reason};
use crate::push::Settings;
use crate::push::deliver::{Answer, Claimed, RESEND_WINDOW_MS, lost_attempt};
use crate::store::messages::{Progress, Route};
use crate::wechat::{self, Class};

/// How many attempts of a message are kept; older ones are dropped.
const MAX_ATTEMPTS_KEPT: usize = 100;

/// An account is held after this many sends in a row without an answer.
const LOST_BEFORE_HOLD: u32 = 8;

/// How long it is held then, in ms, before one message tests whether WeChat answers again.
const OUTAGE_HOLD_MS: i64 = 5_000;

/// The consequences of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settlement {
    pub(super) next: Next,
    /// The account is held until this time, in ms, for this reason.
    pub(super) hold: Option<(i64, String)>,
    pub(super) finding: Finding,
    /// Until when the template is stopped, in ms, if that is the finding.
    pub(super) stop_until: i64,
    /// Until when other messages to the same user wait, in ms.
    pub(super) user_waits_until: Option<i64>,
}

/// The next state of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// The message is updated.
    Update(Progress),
    /// The message is sent by its fallback route instead.
    Reroute(Route, Vec<Attempt>),
}

/// A claimed message, and what is needed to settle its answer.
pub(super) struct Case<'a> {
    pub(super) claimed: &'a Claimed,
    pub(super) settings: &'a Settings,
    /// Database time, in ms.
    pub(super) now: i64,
    /// A random number from 0 to 1.
    pub(super) random: f64,
    /// How many sends of the account in a row ended without an answer, this one included.
    pub(super) lost_in_a_row: u32,
}

impl Case<'_> {
    /// Returns the consequences of the answer.
    pub(super) fn settle(&self, answer: &Answer) -> Settlement {
        match answer {
            Answer::Accepted(msgid) => self.accepted(*msgid, self.ended(None)),
            Answer::TimedOut => self.outcome_unknown(self.ended(Some(Reason::AnswerLost))),
            Answer::Failed(error) => self.failed(error),
        }
    }

    fn failed(&self, error: &wechat::Error) -> Settlement {
        let verdict = classify(error, History::of(self.claimed));
        let upstream = error.upstream();
        let attempt = Attempt {
            errcode: upstream.map(|upstream| upstream.errcode),
            errmsg: Some(error_text(error)),
            rid: upstream.and_then(|upstream| upstream.rid.clone()),
            ..self.ended(verdict.reason())
        };
        match verdict {
            Verdict::Accepted => self.accepted(None, attempt),
            Verdict::OutcomeUnknown => self.outcome_unknown(attempt),
            Verdict::Retry(reason, delay) => {
                let due_at = self.now + self.delay(delay);
                let may_have_arrived = self.claimed.may_have_arrived;
                let progress = self.retry_state(may_have_arrived, reason, due_at, attempt);
                let user_waits_until = (reason == Reason::TooFrequent).then_some(due_at);
                Settlement { user_waits_until, ..update_only(progress) }
            }
            Verdict::Held(reason, hold) => self.held(reason, hold, attempt),
            Verdict::Refused(reason, finding) => {
                let stop_until = self.stop_until();
                let next = self.refused(reason, error.class(), attempt);
                Settlement { next, hold: None, finding, stop_until, user_waits_until: None }
            }
        }
    }

    fn accepted(&self, msgid: Option<i64>, attempt: Attempt) -> Settlement {
        update_only(Progress {
            state: MessageState::Sent,
            msgid,
            reason: None,
            attempts: self.attempts(attempt),
            due_at: None,
            first_sent_at: Some(self.claimed.first_sent_at),
            sent_at: Some(self.now),
            finished_at: None,
        })
    }

    fn outcome_unknown(&self, attempt: Attempt) -> Settlement {
        let due_at = self.now + self.delay(Delay::BackOff);
        let progress = self.retry_state(true, Reason::AnswerLost, due_at, attempt);
        // During an outage, every message that is tried becomes unknown, so few are tried.
        let hold = (self.lost_in_a_row >= LOST_BEFORE_HOLD)
            .then(|| (self.now + OUTAGE_HOLD_MS, Reason::AnswerLost.to_string()));
        Settlement { hold, ..update_only(progress) }
    }

    fn held(&self, reason: Reason, hold: Hold, attempt: Attempt) -> Settlement {
        let until = self.hold_until(hold);
        // A message keeps its place in the queue until the hold ends. But one that may itself be
        // the reason for the refusal moves back, so that another message makes the next test.
        let may_be_why = self.claimed.tests_account || reason == Reason::AccountRefused;
        let due_at = match self.claimed.may_have_arrived || may_be_why {
            true => until,
            false => self.claimed.message.due_at.unwrap_or(self.now),
        };
        let hold_reason = match &attempt {
            Attempt { errcode: Some(errcode), errmsg: Some(errmsg), .. } => {
                format!("{reason}: {errcode} {errmsg}")
            }
            Attempt { errmsg: Some(errmsg), .. } => format!("{reason}: {errmsg}"),
            _ => reason.to_string(),
        };
        let progress = self.retry_state(self.claimed.may_have_arrived, reason, due_at, attempt);
        Settlement { hold: Some((until, hold_reason)), ..update_only(progress) }
    }

    /// The message is tried again. If it may have arrived, only while WeChat suppresses a second
    /// copy.
    fn retry_state(
        &self,
        may_have_arrived: bool,
        reason: Reason,
        due_at: i64,
        attempt: Attempt,
    ) -> Progress {
        let queued = Progress {
            state: MessageState::Queued,
            msgid: None,
            attempts: self.attempts(attempt),
            reason: Some(reason.to_string()),
            due_at: Some(due_at),
            first_sent_at: None,
            sent_at: None,
            finished_at: None,
        };
        if !may_have_arrived {
            return queued;
        }
        let first_sent_at = self.claimed.first_sent_at;
        let is_template = self.claimed.message.route.channel == Channel::Template;
        let is_safe = is_template && due_at < first_sent_at + RESEND_WINDOW_MS;
        Progress {
            state: MessageState::Unknown,
            reason: Some(Reason::AnswerLost.to_string()),
            due_at: is_safe.then_some(due_at),
            first_sent_at: Some(first_sent_at),
            ..queued
        }
    }

    fn refused(&self, reason: Reason, class: Class, attempt: Attempt) -> Next {
        if self.claimed.may_have_arrived && !is_content_error(class) {
            // WeChat refuses the message now, but may have accepted an earlier attempt. So the
            // message has not failed, and sending its fallback could deliver it twice.
            return Next::Update(self.retry_state(true, reason, i64::MAX, attempt));
        }
        let message = &self.claimed.message;
        if let Some(fallback) = &message.fallback
            && allows_fallback(reason)
        {
            let mut attempts = self.attempts(attempt);
            for attempt in &mut attempts {
                attempt.channel.get_or_insert(message.route.channel);
            }
            return Next::Reroute(fallback.clone(), attempts);
        }
        Next::Update(Progress {
            state: MessageState::Failed,
            msgid: None,
            reason: Some(reason.to_string()),
            attempts: self.attempts(attempt),
            due_at: None,
            first_sent_at: Some(self.claimed.first_sent_at),
            sent_at: None,
            finished_at: Some(self.now),
        })
    }

    /// This attempt: accepted, or failed for a reason.
    fn ended(&self, reason: Option<Reason>) -> Attempt {
        let at = DateTime::from_timestamp_millis(self.now).unwrap_or_default();
        Attempt::ended(at, reason.map_or(Attempt::ACCEPTED, Reason::as_str))
    }

    fn attempts(&self, last: Attempt) -> Vec<Attempt> {
        let message = &self.claimed.message;
        let mut attempts = message.attempts.clone();
        attempts.extend(message.sending_at.map(lost_attempt));
        attempts.push(last);
        let excess = attempts.len().saturating_sub(MAX_ATTEMPTS_KEPT);
        attempts.drain(..excess);
        attempts
    }
}

fn update_only(progress: Progress) -> Settlement {
    Settlement {
        next: Next::Update(progress),
        hold: None,
        finding: Finding::None,
        stop_until: 0,
        user_waits_until: None,
    }
}
