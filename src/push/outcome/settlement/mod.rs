//! What an answer comes to: how the message stands now, and what else has to be noted.

#[cfg(test)]
mod tests;

use chrono::DateTime;

use super::verdict::{
    Hold, News, Past, Pause, Verdict, is_about_content, is_about_reach, judge, words,
};
use crate::model::{Attempt, Channel, MessageState, Reason};
use crate::push::Settings;
use crate::push::deliver::{Answer, Claimed, SAFE_MS, lost_at};
use crate::store::messages::{Progress, Route};
use crate::wechat::{self, Class};

/// Attempts kept of a message: of more, the latest.
const ATTEMPTS_KEPT: usize = 100;

/// What an answer comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settlement {
    pub(super) next: Next,
    /// Nothing of the account leaves until then, for this reason.
    pub(super) hold: Option<(i64, String)>,
    pub(super) news: News,
    /// Until when, where the news is that the template is stopped.
    pub(super) stop_until: i64,
}

/// What becomes of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// It stands like this.
    Stands(Progress),
    /// It goes by its other way.
    Goes(Route, Vec<Attempt>),
}

/// A message and its answer.
pub(super) struct Case<'a> {
    pub(super) claimed: &'a Claimed,
    pub(super) settings: &'a Settings,
    /// On the database's clock.
    pub(super) now: i64,
    /// From 0 to 1.
    pub(super) random: f64,
}

impl Case<'_> {
    /// What the answer comes to.
    pub(super) fn settle(&self, answer: &Answer) -> Settlement {
        match answer {
            Answer::Accepted(msgid) => self.accepted(*msgid, self.ended(None)),
            Answer::Nothing => self.in_doubt(self.ended(Some(Reason::AnswerLost))),
            Answer::Failed(error) => self.failed(error),
        }
    }

    fn failed(&self, error: &wechat::Error) -> Settlement {
        let verdict = judge(error, Past::of(self.claimed));
        let said = error.upstream();
        let attempt = Attempt {
            errcode: said.map(|said| said.errcode),
            errmsg: Some(words(error)),
            rid: said.and_then(|said| said.rid.clone()),
            ..self.ended(verdict.reason())
        };
        match verdict {
            Verdict::Accepted => self.accepted(None, attempt),
            Verdict::InDoubt => self.in_doubt(attempt),
            Verdict::Again(reason, pause) => {
                let due_at = self.now + self.pause(pause);
                plain(self.waits(self.claimed.in_doubt, reason, due_at, attempt))
            }
            Verdict::Held(reason, hold) => self.held(reason, hold, attempt),
            Verdict::Refused(reason, news) => {
                let stop_until = self.stop_until();
                let next = self.refused(reason, error.class(), attempt);
                Settlement { next, hold: None, news, stop_until }
            }
        }
    }

    fn accepted(&self, msgid: Option<i64>, attempt: Attempt) -> Settlement {
        plain(Progress {
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

    fn in_doubt(&self, attempt: Attempt) -> Settlement {
        let due_at = self.now + self.pause(Pause::BackOff);
        plain(self.waits(true, Reason::AnswerLost, due_at, attempt))
    }

    fn held(&self, reason: Reason, hold: Hold, attempt: Attempt) -> Settlement {
        let until = self.hold_until(hold);
        // A message keeps its place in the queue for when the account goes on. One that may itself be why
        // WeChat refuses leaves it, so that the next test is made with another.
        let may_be_why = self.claimed.tests_account || reason == Reason::AccountRefused;
        let due_at = match self.claimed.in_doubt || may_be_why {
            true => until,
            false => self.claimed.message.due_at.unwrap_or(self.now),
        };
        let told = match &attempt {
            Attempt { errcode: Some(errcode), errmsg: Some(said), .. } => {
                format!("{reason}: {errcode} {said}")
            }
            Attempt { errmsg: Some(said), .. } => format!("{reason}: {said}"),
            _ => reason.to_string(),
        };
        let waits = self.waits(self.claimed.in_doubt, reason, due_at, attempt);
        Settlement { hold: Some((until, told)), ..plain(waits) }
    }

    /// To be tried again; what is in doubt, only while WeChat suppresses a second copy.
    fn waits(&self, in_doubt: bool, reason: Reason, due_at: i64, attempt: Attempt) -> Progress {
        let waits = Progress {
            state: MessageState::Queued,
            msgid: None,
            attempts: self.attempts(attempt),
            reason: Some(reason.to_string()),
            due_at: Some(due_at),
            first_sent_at: None,
            sent_at: None,
            finished_at: None,
        };
        if !in_doubt {
            return waits;
        }
        let first_sent_at = self.claimed.first_sent_at;
        let is_template = self.claimed.message.route.channel == Channel::Template;
        let is_safe = is_template && due_at < first_sent_at + SAFE_MS;
        Progress {
            state: MessageState::Unknown,
            reason: Some(Reason::AnswerLost.to_string()),
            due_at: is_safe.then_some(due_at),
            first_sent_at: Some(first_sent_at),
            ..waits
        }
    }

    fn refused(&self, reason: Reason, class: Class, attempt: Attempt) -> Next {
        if self.claimed.in_doubt && !is_about_content(class) {
            // WeChat does not take it now; an earlier attempt it may have taken. Neither has the message
            // failed, nor may it go its other way: that would be a second one.
            return Next::Stands(self.waits(true, reason, i64::MAX, attempt));
        }
        let message = &self.claimed.message;
        if let Some(fallback) = &message.fallback
            && is_about_reach(reason)
        {
            let mut attempts = self.attempts(attempt);
            for attempt in &mut attempts {
                attempt.channel.get_or_insert(message.route.channel);
            }
            return Next::Goes(fallback.clone(), attempts);
        }
        Next::Stands(Progress {
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

    /// This attempt: accepted, or ended for a reason.
    fn ended(&self, reason: Option<Reason>) -> Attempt {
        let at = DateTime::from_timestamp_millis(self.now).unwrap_or_default();
        Attempt::ended(at, reason.map_or(Attempt::ACCEPTED, Reason::as_str))
    }

    fn attempts(&self, last: Attempt) -> Vec<Attempt> {
        let message = &self.claimed.message;
        let mut attempts = message.attempts.clone();
        attempts.extend(message.sending_at.map(lost_at));
        attempts.push(last);
        let too_many = attempts.len().saturating_sub(ATTEMPTS_KEPT);
        attempts.drain(..too_many);
        attempts
    }
}

fn plain(progress: Progress) -> Settlement {
    Settlement { next: Next::Stands(progress), hold: None, news: News::None, stop_until: 0 }
}
